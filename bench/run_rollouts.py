#!/usr/bin/env python3
"""Measures the hub while a rollout goes to a whole fleet, and writes bench/ROLLOUTS.md.

The devices are starling-fleetsim's: they run the agent's core, on links of their own. Each asks for updates every five
minutes besides, over REST. Core 0 has the hub, core 1 the devices and whoever asks; nothing leaves loopback.
"""
import argparse
import datetime
import http.client
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "processes/runner"))

import report  # noqa: E402
import servers  # noqa: E402

CHECKED_EVERY = 300
PROBES_A_SECOND = 50
QUIET = 30


class Asker(threading.Thread):
    """Sends GETs at a steady rate on one connection, and keeps how long each took, by phase."""

    def __init__(self, hub, targets, rate):
        super().__init__(daemon=True)
        self.hub, self.targets, self.interval = hub, targets, 1 / rate
        self.phase, self.over, self.failure = None, False, None
        self.taken = {}

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.hub.key()}"}
        due, asked = time.monotonic(), 0
        try:
            while not self.over:
                time.sleep(max(0.0, due - time.monotonic()))
                due += self.interval
                start = time.monotonic()
                connection.request("GET", self.targets[asked % len(self.targets)], headers=headers)
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    raise servers.BenchError(f"a read was answered with {reply.status}")
                self.taken.setdefault(self.phase, []).append((time.monotonic() - start) * 1000)
                asked += 1
        except (OSError, http.client.HTTPException, servers.BenchError) as error:
            self.failure = error

    def percentile(self, phase, share):
        taken = sorted(self.taken.get(phase, []))
        return taken[min(len(taken) - 1, int(len(taken) * share))] if taken else 0.0


def device_ids(hub):
    ids, after = [], ""
    while after is not None:
        page = hub.get(f"/api/v1/devices?limit=1000{after and '&after=' + after}")
        ids += [item["id"] for item in page["items"]]
        after = page["next"]
    return ids


def online(hub):
    return hub.get("/api/v1/fleet")["devices"]["online"]


def wait_for(what, limit, is_so):
    end = time.monotonic() + limit
    while not is_so():
        if time.monotonic() > end:
            raise servers.BenchError(f"{what} took more than {limit} s")
        time.sleep(0.2)


def measured(hub, phase, askers, work):
    """Runs `work` and gives what the hub used meanwhile."""
    for asker in askers.values():
        asker.phase = phase
    start, cpu = time.monotonic(), hub.cpu_seconds()
    result = work()
    wall = time.monotonic() - start
    for asker in askers.values():
        if asker.failure:
            raise servers.BenchError(str(asker.failure))
    return {"seconds": wall, "cpu": (hub.cpu_seconds() - cpu) / wall, "pss_mb": hub.memory_kib()["pss"] / 1024,
            "asked": {name: len(asker.taken.get(phase, [])) for name, asker in askers.items()},
            "p50": {name: asker.percentile(phase, 0.5) for name, asker in askers.items()},
            "p99": {name: asker.percentile(phase, 0.99) for name, asker in askers.items()}, "result": result}


def roll_out(hub, stages, soak, limit):
    body = {"values": {"hotword.cooldown": 1234}, "stages": [{"share": share} for share in stages],
            "soak_ms": soak * 1000}
    rollout = json.loads(hub.ask("POST", "/api/v1/rollouts", json.dumps(body).encode(), 30))["id"]
    opened = {}

    def has_ended():
        shown = hub.get(f"/api/v1/rollouts/{rollout}")
        opened.setdefault(shown["open"], time.monotonic())
        opened["last"] = shown
        return shown["ended"]
    wait_for("the rollout", limit, has_ended)
    shown = opened["last"]
    if shown["state"] != "finished":
        raise servers.BenchError(f"the rollout is {shown['state']}: {shown['why']}")
    return sum(stage["done"] for stage in shown["stages"])


def measure(arguments, folder):
    with servers.Hub(folder, pathlib.Path(folder) / "hub") as hub:
        key = pathlib.Path(folder) / "key"
        key.write_text(hub.key())
        fleet = servers.spawn(
            servers.pinned(servers.LOAD_CORE,
                           [servers.BIN / "starling-fleetsim", "sockets", "--hub", hub.url(), "--key-file", key,
                            "--devices", arguments.devices, "--rate", 0, "--duration", 3600]),
            stdout=subprocess.DEVNULL, stderr=open(pathlib.Path(folder) / "fleetsim.log", "w"))
        askers = {}
        try:
            wait_for("connecting", 120, lambda: online(hub) >= arguments.devices)
            ids = device_ids(hub)
            askers["checks"] = Asker(hub, [f"/api/v1/devices/{each}/updates/check" for each in ids],
                                     len(ids) / CHECKED_EVERY)
            askers["reads"] = Asker(hub, [f"/api/v1/devices/{each}" for each in ids], PROBES_A_SECOND)
            for asker in askers.values():
                asker.start()
            quiet = measured(hub, "quiet", askers, lambda: time.sleep(QUIET))
            rollout = measured(hub, "rollout", askers,
                               lambda: roll_out(hub, arguments.stages, arguments.soak, arguments.limit))
            return {"devices": len(ids), "quiet": quiet, "rollout": rollout}
        finally:
            for asker in askers.values():
                asker.over = True
            fleet.terminate()
            fleet.wait()


def render(figures, arguments):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    load = " ".join(pathlib.Path("/proc/loadavg").read_text().split()[:3])
    lines = ["# A rollout to a whole fleet", "",
             f"Written by `bench/run_rollouts.py --devices {arguments.devices}` on "
             f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC at {commit.stdout.strip()}. Machine: "
             f"{report.machine()}; load average at the end {load}.", "",
             f"{figures['devices']:,} connected devices of `starling-fleetsim`, each of which asks for updates every five "
             f"minutes; a setting goes to all of them in stages of "
             f"{', '.join(f'{share / 100:g}%' for share in arguments.stages)} with {arguments.soak} s of soak. "
             f"{figures['rollout']['result']:,} of them have it at the end.", "",
             "| | without a rollout | during it |", "|---|---|---|"]

    def row(what, show):
        lines.append(f"| {what} | {show(figures['quiet'])} | {show(figures['rollout'])} |")
    row("seconds", lambda part: f"{part['seconds']:.0f}")
    row("hub's CPU, of one core", lambda part: f"{part['cpu'] * 100:.1f}%")
    row("hub's memory at the end (PSS)", lambda part: f"{part['pss_mb']:.0f} MB")
    for name, what in (("reads", "read of a device"), ("checks", "check for updates")):
        row(f"{what}: answered", lambda part: f"{part['asked'][name]:,}")
        row(f"{what}: p50", lambda part: f"{part['p50'][name]:.1f} ms")
        row(f"{what}: p99", lambda part: f"{part['p99'][name]:.1f} ms")
    lines += ["", "Latencies are as a client in Python sees them, on the core of the simulated devices."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10000)
    parser.add_argument("--stages", type=lambda text: [int(share) for share in text.split(",")],
                        default=[500, 2500, 10000], help="hundredths of a percent; the last is 10000")
    parser.add_argument("--soak", type=int, default=10, help="seconds")
    parser.add_argument("--limit", type=int, default=600, help="seconds for the rollout")
    parser.add_argument("--report", default=str(HERE / "ROLLOUTS.md"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="starling-bench-") as folder:
        figures = measure(arguments, folder)
    pathlib.Path(arguments.report).write_text(render(figures, arguments))
    print(f"written: {arguments.report}")


if __name__ == "__main__":
    try:
        main()
    except servers.BenchError as error:
        sys.exit(f"{pathlib.Path(__file__).name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
