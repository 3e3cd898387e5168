#!/usr/bin/env python3
"""Measures the hub beside its peers and writes bench/REPORT.md.

Core 0 has the server of the moment (hub or peer), core 1 the load; nothing leaves loopback. Every figure is the
median of several runs, peers and hub in turns. Takes about half an hour.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "processes/runner"))

import report  # noqa: E402
import rows  # noqa: E402
import servers  # noqa: E402

PEERS = ["nats-server", "mosquitto", "etcd-server"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(rows.ROWS), help="one row; may be repeated")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a fifth of the devices: to try it out")
    parser.add_argument("--folder", help="where data folders are built and kept (default: a temporary one)")
    parser.add_argument("--figures", help="a JSON file that collects the rows of several calls")
    parser.add_argument("--report", default=str(HERE / "REPORT.md"))
    parser.add_argument("--install-peers", action="store_true", help="apt-get install the peers first")
    return parser.parse_args()


def measure(arguments, folder):
    bench = rows.Bench(folder, arguments.runs, arguments.quick)
    figures_path = pathlib.Path(arguments.figures) if arguments.figures else bench.folder / "figures.json"
    figures = json.loads(figures_path.read_text()) if figures_path.exists() else {}
    failed = False
    for name in arguments.only or rows.ROWS:
        print(f"{name} ...", flush=True)
        try:
            figures[name] = rows.ROWS[name](bench)
            print(json.dumps({k: v for k, v in figures[name].items() if k != "runs"}, indent=1), flush=True)
        except servers.BenchError as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        figures_path.write_text(json.dumps(figures, indent=1))
    return figures, failed


def main():
    arguments = parse()
    if arguments.install_peers:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *PEERS], check=True)
    with tempfile.TemporaryDirectory(prefix="starling-bench-") as temporary:
        folder = arguments.folder or temporary
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        figures, failed = measure(arguments, folder)
    pathlib.Path(arguments.report).write_text(report.render(figures, arguments))
    print(f"written: {arguments.report}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
