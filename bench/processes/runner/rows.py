"""Each function measures one row of the table: it gives a dict of figures and of the row's verdicts."""
import json
import pathlib
import statistics
import subprocess
import threading
import time

from servers import (BIN, BenchError, Holding, Hub, base_reference, epoll_reference, etcd, load, mosquitto, nats, pinned,
                     run, spawn, LOAD_CORE, SERVER_CORE)


class Bench:
    """What all rows share: a folder, how often to repeat, and data folders that are built once."""

    def __init__(self, folder, runs, quick):
        self.folder = pathlib.Path(folder)
        self.runs = runs
        self.devices = 2_000 if quick else 10_000
        self.storm_devices = 4_000 if quick else 19_000
        self.registered = 10_000 if quick else 100_000
        # Fan-outs that follow one another are no flood here, and all devices share one key.
        self.hub_options = ["--rate-limit", "0"]
        self.certificate = self.folder / "certificate.pem"

    def hub(self, name, tls=False):
        options = self.hub_options + (self.tls_options() if tls else [])
        return Hub(self.folder, self.folder / name, options, tls)

    def tls_options(self):
        """By itself a hub serves loopback in clear."""
        private_key = self.folder / "private-key.pem"
        if not self.certificate.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", "/CN=127.0.0.1", "-keyout", private_key, "-out", self.certificate],
                           check=True, capture_output=True)
        return ["--tls-cert", self.certificate, "--tls-key", private_key]

    def identities(self, name):
        return self.folder / f"{name}.identities"

    def prepare(self, name, count):
        """A data folder with so many registered devices, made through the API."""
        if self.identities(name).exists():
            return None
        with self.hub(name) as hub:
            return load("register", hub, "--key", hub.key(), "--devices", count, "--identities",
                        self.identities(name), "--connections", 64)

    def link_options(self, hub, name, devices):
        return ["--key", hub.key(), "--identities", self.identities(name), "--devices", devices]


def median(samples, key=None):
    return statistics.median(s[key] for s in samples) if key else statistics.median(samples)


def fanout(bench):
    bench.prepare("plain", bench.storm_devices)
    found = {"hub": [], "base": [], "epoll": [], "nats": [], "mosquitto": [], "mosquitto_qos0": []}
    sizes = ["--payload", 300, "--ack", 230]
    for _ in range(bench.runs):
        with bench.hub("plain") as hub:
            figures = load("fanout", hub, *bench.link_options(hub, "plain", bench.devices))
            found["hub"].append({**figures, "cpu_s": hub.cpu_seconds()})
        sizes = ["--payload", figures["update_bytes"], "--ack", figures["answer_bytes"]]
        for name, server, scenario, extra in (
                ("epoll", epoll_reference, "epoll-fanout", []), ("base", base_reference, "epoll-fanout", []),
                ("nats", nats, "nats-fanout", []),
                ("mosquitto", mosquitto, "mqtt-fanout", []),
                ("mosquitto_qos0", mosquitto, "mqtt-fanout", ["--answer-qos", 0])):
            with server(bench.folder) as peer:
                found[name].append(load(scenario, peer, "--devices", bench.devices, *sizes, *extra))
    totals = {name: median(samples, "total_ms") for name, samples in found.items()}
    ratios = {name: median([h["total_ms"] / p["total_ms"] for h, p in zip(found["hub"], found[name])])
              for name in found if name != "hub"}
    return {"totals_ms": totals, "ratios": ratios, "runs": found, "bytes": sizes,
            "peer_rows": {name: {key: median(samples, key) for key in
                                 ("connect_per_s", "p50_ms", "p99_ms", "total_ms")}
                          for name, samples in found.items()}}


def one_change(bench):
    bench.prepare("plain", bench.storm_devices)
    alone, among = [], []
    for _ in range(bench.runs):
        with bench.hub("plain") as hub:
            for samples, devices in ((alone, 1), (among, bench.devices)):
                samples.append(load("one-change", hub, *bench.link_options(hub, "plain", devices), "--rounds", 301))
    return {"alone": {key: median(alone, key) for key in ("p50_ms", "p99_ms", "max_ms")},
            "among": {key: median(among, key) for key in ("p50_ms", "p99_ms", "max_ms")},
            "devices": bench.devices}


def one_change_agent(bench):
    """With a real agent: its own process, its generation fsynced on disk before it answers."""
    samples = []
    for number in range(bench.runs):
        with bench.hub("agent") as hub:
            key_file = bench.folder / "agent.key"
            key_file.write_text(hub.key())
            key_file.chmod(0o600)
            state = bench.folder / f"agent-{number}"
            with open(bench.folder / "agent.log", "ab") as log:
                agent = spawn(pinned(LOAD_CORE, [BIN / "starling-agent", "--state", state, "--hub", hub.url(),
                                                 "--key-file", key_file, "--name", f"bench-{number}"]),
                              stdout=log, stderr=log)
            try:
                device = wait_for_device(hub, f"bench-{number}")
                identities = bench.folder / "none.identities"
                if not identities.exists():
                    bench.prepare("none", 1)
                samples.append(load("one-change", hub, "--key", hub.key(), "--identities", identities, "--devices", 0,
                                    "--device", device, "--rounds", 101))
            finally:
                agent.terminate()
                agent.wait(10)
    return {key: median(samples, key) for key in ("p50_ms", "p99_ms", "max_ms")}


def wait_for_device(hub, name):
    for _ in range(200):
        for device in hub.get("/api/v1/devices?limit=1000")["items"]:
            if device["device_name"] == name and device["status"] == "online":
                return device["device_uuid"]
        time.sleep(0.05)
    raise BenchError(f"the agent {name} did not come online")


def prober_prefix():
    """The prober must not wait for the fan-out's own load on its core: that is not the hub's doing."""
    tried = subprocess.run(["chrt", "-f", "5", "true"], capture_output=True)
    return ["chrt", "-f", "5"] if tried.returncode == 0 else []


def small_read(hub, bench, name):
    device = bench.identities(name).read_text().splitlines()[1].split()[0]
    return f"/api/v1/devices/{device}"


def rest(bench):
    bench.prepare("plain", bench.storm_devices)
    during, quiet, rates, health = [], [], [], []
    for _ in range(bench.runs):
        with bench.hub("plain") as hub:
            target = ["--key", hub.key(), "--target", small_read(hub, bench, "plain")]
            rates.append(load("reads", hub, *target))
            health.append(load("reads", hub, "--target", "/healthz"))
            probe = [*target, "--connections", 8, "--rate", 500, "--seconds", 6]
            quiet.append(load("reads", hub, *probe, prefix=prober_prefix()))
            background = {}

            def run_fanouts():
                try:
                    background.update(load("fanout", hub, *bench.link_options(hub, "plain", bench.devices),
                                           "--rounds", 0, "--seconds", 11))
                except BenchError as error:
                    background["error"] = str(error)

            thread = threading.Thread(target=run_fanouts)
            thread.start()
            time.sleep(4)
            during.append(load("reads", hub, *probe, prefix=prober_prefix()))
            thread.join()
            if "error" in background:
                raise BenchError(background["error"])
            during[-1]["fanouts"] = len(background["rounds_ms"])
    for sample in rates + during:
        if set(sample["statuses"]) != {"200"}:
            raise BenchError(f"reads were not all answered 200: {json.dumps(sample)}")
    return {"reads_per_s": median(rates, "per_s"), "healthz_per_s": median(health, "per_s"),
            "quiet": {key: median(quiet, key) for key in ("p50_ms", "p99_ms")},
            "during": {key: median(during, key) for key in ("p50_ms", "p99_ms", "max_ms", "fanouts")}}


def memory_at(bench, stage, devices, tls=False, rounds=0):
    """KiB of the hub before and with so many connections at this stage."""
    with bench.hub("plain", tls) as hub:
        # A first connection loads what is loaded once.
        with Holding(hub, *bench.link_options(hub, "plain", 1), "--rounds", 1 if rounds else 0):
            pass
        time.sleep(1)
        before = hub.memory_kib()
        slab_before = kernel_kib()
        with Holding(hub, *bench.link_options(hub, "plain", devices), "--stage", stage, "--rounds", rounds):
            after, slab_after = hub.memory_kib(), kernel_kib()
    return {"each": (after["pss"] - before["pss"]) / devices, "kernel_each": (slab_after - slab_before) / devices,
            "before": before["pss"], "after": after["pss"]}


def kernel_kib():
    found = {}
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split(":")
        found[name] = int(value.split()[0])
    return found["Slab"]


def memory(bench):
    bench.prepare("plain", bench.storm_devices)
    count = bench.devices
    stages = {
        "tcp": dict(stage="tcp"), "upgraded": dict(stage="upgraded"), "session": dict(stage="session"),
        "worked": dict(stage="session", rounds=3), "tls_tcp": dict(stage="tcp", tls=True),
        "tls_upgraded": dict(stage="upgraded", tls=True), "tls_worked": dict(stage="session", tls=True, rounds=3),
    }
    found = {}
    for name, what in stages.items():
        samples = [memory_at(bench, devices=count, **what) for _ in range(min(bench.runs, 3))]
        found[name] = {key: median(samples, key) for key in ("each", "kernel_each", "before", "after")}
    return {"devices": count, "stages": found, "registered_each": registered_memory(bench),
            "nats_each": median([nats_memory(bench) for _ in range(min(bench.runs, 3))])}


def nats_memory(bench):
    """KiB of nats-server for each subscriber, at its largest while it serves a few fan-outs of the same bytes."""
    with nats(bench.folder) as peer:
        before = peer.memory_kib()["pss"]
        fanouts = threading.Thread(target=load, args=("nats-fanout", peer, "--devices", bench.devices,
                                                      "--payload", 326, "--ack", 241))
        fanouts.start()
        largest = before
        while fanouts.is_alive():
            largest = max(largest, peer.memory_kib()["pss"])
            time.sleep(0.05)
    return (largest - before) / bench.devices


def registered_memory(bench):
    """KiB of a device that is registered and not connected."""
    with bench.hub("empty") as hub:
        empty = hub.memory_kib()["pss"]
    with bench.hub("plain") as hub:
        return (hub.memory_kib()["pss"] - empty) / bench.storm_devices


def durable(bench):
    found = {64: {"hub": [], "etcd": []}, 256: {"hub": [], "etcd": []}}
    for number in range(bench.runs):
        with bench.hub(f"writes-{number}") as hub:
            for connections in found:
                found[connections]["hub"].append(load("writes", hub, "--key", hub.key(), "--connections", connections))
        with etcd(bench.folder) as peer:
            for connections in found:
                found[connections]["etcd"].append(load("etcd-writes", peer, "--connections", connections))
    for samples in found.values():
        for sample in samples["hub"] + samples["etcd"]:
            if set(sample["statuses"]) != {"200"}:
                raise BenchError(f"writes were not all answered 200: {json.dumps(sample)}")
    return {str(connections): {name: {key: median(samples, key) for key in ("per_s", "p50_ms", "p99_ms")}
                               for name, samples in both.items()} for connections, both in found.items()}


def storm(bench):
    bench.prepare("plain", bench.storm_devices)
    samples = []
    for _ in range(bench.runs):
        with bench.hub("plain") as hub:
            samples.append(load("storm", hub, *bench.link_options(hub, "plain", bench.storm_devices)))
    return {"devices": bench.storm_devices, "mismatches": sum(s["mismatches"] for s in samples),
            **{key: median(samples, key) for key in ("welcomed_ms", "in_sync_ms")}}


def start(bench):
    built = bench.prepare("large", bench.registered)
    seconds, pss = [], 0
    for _ in range(bench.runs):
        with bench.hub("large") as hub:
            seconds.append(hub.started_in)
            pss = hub.memory_kib()["pss"]
    return {"registered": bench.registered, "seconds": median(seconds), "pss_kib": pss, "built": built}


def resolved(bench):
    """A change of the whole fleet, of which few devices are connected."""
    bench.prepare("large", bench.registered)
    connected = 1_000
    with bench.hub("large") as hub:
        with Holding(hub, *bench.link_options(hub, "large", connected), "--rounds", 1):
            before = hub.metric("starling_documents_resolved_total")
            started = time.monotonic()
            answer = hub.put("/api/v1/settings", {"values": {"hotword.threshold": 0.123456}})
            took = time.monotonic() - started
            applied = 0
            while applied < connected and time.monotonic() - started < 30:
                applied = hub.get(f"/api/v1/changes/{answer['revision']}/progress")["applied"]
            settled = time.monotonic() - started
            after = hub.metric("starling_documents_resolved_total")
    if before is None or after is None:
        raise BenchError("the hub has no metric starling_documents_resolved_total")
    if applied < connected:
        raise BenchError(f"only {applied} of {connected} devices have applied the change")
    return {"registered": bench.registered, "connected": connected, "resolved": after - before,
            "write_ms": took * 1000, "settled_ms": settled * 1000}


def scale(bench):
    """Calls one after the other to a hub with many registered devices, of which few are connected."""
    bench.prepare("large", bench.registered)
    connected = 1_000
    found = {}
    with bench.hub("large") as hub:
        uuid = bench.identities("large").read_text().splitlines()[1].split()[0]
        name = f"load-{uuid[24:]}"
        with Holding(hub, *bench.link_options(hub, "large", connected), "--rounds", 1):
            change = hub.put("/api/v1/settings", {"values": {"hotword.threshold": 0.234567}})["revision"]
            reads = {"fleet": "/api/v1/fleet", "progress": f"/api/v1/changes/{change}/progress",
                     "list by selector": "/api/v1/devices?selector=room=room-42&limit=20",
                     "explain by name": f"/api/v1/settings/explain?device={name}&key=hotword.threshold"}
            writes = {"write by name": {"device": name}, "write by selector": {"selector": "room=room-42"}}
            calls = {call: ["reads", hub, "--target", target] for call, target in reads.items()}
            calls |= {call: ["writes", hub, "--write-target", json.dumps(target)] for call, target in writes.items()}
            for call, command in calls.items():
                found[call] = load(*command, "--key", hub.key(), "--connections", 1, "--seconds", 3)
                if set(found[call]["statuses"]) != {"200"}:
                    raise BenchError(f"{call}: not all calls were answered 200: {json.dumps(found[call])}")
            # Else changes of the fleet would pass these devices by in what is measured next.
            for target in writes.values():
                hub.put("/api/v1/settings", {"values": {"hotword.threshold": None}, "target": target})
    return {"registered": bench.registered, "connected": connected,
            "calls": {call: {key: sample[key] for key in ("per_s", "p50_ms", "p99_ms")} for call, sample in found.items()}}


def functions(bench):
    """Google Benchmark's figures: CPU time and items a second by name."""
    command = pinned(SERVER_CORE, [BIN / "starling_function_bench", "--benchmark_format=json",
                                   f"--benchmark_repetitions={max(bench.runs, 3)}", "--benchmark_report_aggregates_only=true"])
    status, out, errors = run(command, cwd=bench.folder)
    if status != 0:
        raise BenchError(f"starling_function_bench: {errors}")
    return {entry["run_name"]: {"time": entry["cpu_time"], "unit": entry["time_unit"],
                                "items_per_second": entry.get("items_per_second")}
            for entry in json.loads(out)["benchmarks"] if entry.get("aggregate_name") == "median"}


ROWS = {"fanout": fanout, "one_change": one_change, "one_change_agent": one_change_agent, "rest": rest,
        "memory": memory, "durable": durable, "storm": storm, "start": start, "resolved": resolved,
        "scale": scale, "functions": functions}
