#!/usr/bin/env python3
"""Measures agent and keeper beside s6 and supervisord and writes bench/SUPERVISION.md. Takes about an hour."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "supervision"), str(HERE / "processes/runner")]

import supervision_report  # noqa: E402
import supervision_rows  # noqa: E402
import supervisors  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(supervision_rows.ROWS),
                        help="one row; may be repeated")
    parser.add_argument("--supervisor", action="append", choices=list(supervisors.SUPERVISORS),
                        help="one of them; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: to try it out")
    parser.add_argument("--folder", help="where everything lies and is kept (default: a temporary one)")
    parser.add_argument("--report", default=str(HERE / "SUPERVISION.md"))
    parser.add_argument("--figures", help="a JSON file: rows of former runs are taken from it, those of this one put "
                                          "there, so that each can have its own quiet moment")
    parser.add_argument("--install-peers", action="store_true", help="install the peers first")
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.install_peers:
        subprocess.run([HERE.parent / "packaging/install-build-dependencies.sh", "bench"], check=True)
    kept = pathlib.Path(arguments.figures) if arguments.figures else None
    figures = json.loads(kept.read_text()) if kept and kept.exists() else {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="starling-bench-") as temporary:
        bench = supervision_rows.Bench(arguments.folder or temporary, arguments.quick, arguments.supervisor)
        for name in arguments.only or supervision_rows.ROWS:
            print(f"{name} ...", flush=True)
            try:
                figures[name] = {"when": supervision_report.when(), "found": supervision_rows.ROWS[name](bench)}
                print(json.dumps(figures[name], indent=1), flush=True)
                if kept:
                    kept.write_text(json.dumps(figures))
            except supervisors.BenchError as error:
                failed = True
                print(f"{name}: {error}", file=sys.stderr, flush=True)
    pathlib.Path(arguments.report).write_text(supervision_report.render(figures, arguments))
    print(f"written: {arguments.report}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
