"""Turns the figures into bench/REPORT.md."""
import datetime
import pathlib
import platform
import subprocess


def machine():
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // 1024
    system = next((line.split("=")[1].strip('"') for line in pathlib.Path("/etc/os-release").read_text().splitlines()
                   if line.startswith("PRETTY_NAME")), "unknown")
    cores = len([line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("processor")])
    return f"{cpu}, {cores} cores, {memory} MB; {system}, Linux {platform.release()}"


def versions():
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "nats-server", "mosquitto",
                            "etcd-server", "g++"], capture_output=True, text=True)
    return ", ".join(asked.stdout.split("\n")).rstrip(", ")


def verdict(held):
    return "held" if held else "**missed**"


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, target, reached, beside, held):
        self.rows.append(f"| {what} | {target} | {reached} | {beside} | {verdict(held) if held is not None else ''} |")

    def text(self):
        return "\n".join(["| what | target | reached | beside | |", "|---|---|---|---|---|", *self.rows])


def fanout_rows(table, figures):
    if "fanout" not in figures:
        return
    totals, ratios = figures["fanout"]["totals_ms"], figures["fanout"]["ratios"]
    devices = figures["fanout"]["runs"]["hub"][0]["devices"]
    reached = f"{totals['hub']:.0f} ms"
    for name, label, bound in (("epoll", "raw epoll reference", 1.5), ("nats", "nats-server", 0.5),
                               ("mosquitto", "mosquitto, QoS 1 both ways", 0.35)):
        table.add(f"fan-out to {devices:,}: committed, sent, acknowledged by all", f"<= {bound} x {label}",
                  f"{reached}: **{ratios[name]:.2f} x**", f"{label}: {totals[name]:.0f} ms", ratios[name] <= bound)
    table.add("the same", "(none)", f"{ratios['mosquitto_qos0']:.2f} x",
              f"mosquitto, change at QoS 1, answers at QoS 0: {totals['mosquitto_qos0']:.0f} ms", None)


def latency_rows(table, figures):
    if "one_change" in figures:
        found = figures["one_change"]
        table.add("one change to one device: fsynced, applied, shown as applied", "p99 <= 20 ms",
                  f"p50 {found['alone']['p50_ms']:.1f}, p99 **{found['alone']['p99_ms']:.1f} ms**",
                  f"the same among {found['devices']:,} connected: p99 {found['among']['p99_ms']:.1f} ms",
                  found["alone"]["p99_ms"] <= 20)
    if "one_change_agent" in figures:
        found = figures["one_change_agent"]
        table.add("the same, a real agent that fsyncs its generation", "p99 <= 20 ms",
                  f"p50 {found['p50_ms']:.1f}, p99 **{found['p99_ms']:.1f} ms**", "", found["p99_ms"] <= 20)
    if "rest" in figures:
        found = figures["rest"]
        table.add("REST while fan-outs run", "p99 <= 10 ms", f"p99 **{found['during']['p99_ms']:.1f} ms**",
                  f"p99 {found['quiet']['p99_ms']:.1f} ms without them; {found['during']['fanouts']:.0f} fan-outs in 11 s",
                  found["during"]["p99_ms"] <= 10)
        table.add("small reads on one core (GET of one device)", ">= 50,000/s",
                  f"**{found['reads_per_s']:,.0f}/s**", f"/healthz: {found['healthz_per_s']:,.0f}/s",
                  found["reads_per_s"] >= 50_000)


def size_rows(table, figures):
    if "memory" in figures:
        found = figures["memory"]
        stages, registered = found["stages"], found["registered_each"]
        for name, label, bound in (("worked", "plain", 8), ("tls_worked", "TLS", 24)):
            total = stages[name]["each"] + registered
            table.add(f"hub memory for each connected device, {label}", f"<= {bound} KB",
                      f"**{total:.1f} KB**", f"nats-server, plain: {found['nats_each']:.1f} KB", total <= bound)
    if "durable" in figures:
        for connections, both in figures["durable"].items():
            table.add(f"durable changes, {connections} writers", ">= 5,000/s", f"**{both['hub']['per_s']:,.0f}/s**",
                      f"etcd: {both['etcd']['per_s']:,.0f}/s (ratio {both['hub']['per_s'] / both['etcd']['per_s']:.1f})",
                      both["hub"]["per_s"] >= 5_000)


def scale_rows(table, figures):
    if "storm" in figures:
        found = figures["storm"]
        table.add(f"{found['devices']:,} devices reconnecting at once, each one change behind", "in sync <= 15 s",
                  f"**{found['in_sync_ms'] / 1000:.1f} s**", f"all welcomed after {found['welcomed_ms'] / 1000:.1f} s",
                  found["in_sync_ms"] <= 15_000 and found["mismatches"] == 0)
    if "start" in figures:
        found = figures["start"]
        table.add(f"hub start with {found['registered']:,} registered devices, until /readyz", "<= 3 s",
                  f"**{found['seconds']:.2f} s**", f"{found['pss_kib'] / 1024:.0f} MB then", found["seconds"] <= 3)
    if "resolved" in figures:
        found = figures["resolved"]
        table.add(f"fleet change over {found['registered']:,} registered, {found['connected']:,} connected",
                  "resolves only what is connected", f"**{found['resolved']:.0f}** documents resolved",
                  f"answered after {found['write_ms']:.1f} ms, applied by all connected after "
                  f"{found['settled_ms']:.0f} ms", found["resolved"] <= found["connected"])
    if "scale" in figures:
        found = figures["scale"]
        for call, sample in found["calls"].items():
            table.add(f"REST with {found['registered']:,} registered, {found['connected']:,} connected: {call}",
                      "p99 <= 10 ms", f"p99 **{sample['p99_ms']:.1f} ms**", f"p50 {sample['p50_ms']:.2f} ms",
                      sample["p99_ms"] <= 10)
    for name, label in (("ResolveShipped", "the shipped components"), ("Resolve200Settings", "200 settings")):
        rate = (figures.get("functions") or {}).get(name, {}).get("items_per_second")
        if rate:
            table.add(f"settings resolution on one core, {label}", ">= 1,000,000 effective values/s",
                      f"**{rate / 1e6:.1f} million/s**", "", rate >= 1e6)


def fanout_details(figures):
    if "fanout" not in figures:
        return ""
    lines = ["## Fan-out in detail", "",
             f"Bytes of a message and of an answer, without frame heads: {figures['fanout']['bytes'][1]} and "
             f"{figures['fanout']['bytes'][3]}, as the hub's own are. Medians of {len(figures['fanout']['runs']['hub'])} "
             "runs of 7 rounds.", "",
             "| server | connections/s | p50 ms | p99 ms | total ms |", "|---|---|---|---|---|"]
    names = {"hub": "starling-hub", "epoll": "epoll_reference", "base": "base_reference", "nats": "nats-server",
             "mosquitto": "mosquitto, QoS 1 both ways", "mosquitto_qos0": "mosquitto, answers at QoS 0"}
    for name, row in figures["fanout"]["peer_rows"].items():
        lines.append(f"| {names[name]} | {row['connect_per_s']:,.0f} | {row['p50_ms']:.0f} | {row['p99_ms']:.0f} | "
                     f"{row['total_ms']:.0f} |")
    return "\n".join(lines) + "\n\n"


def memory_details(figures):
    if "memory" not in figures:
        return ""
    stages, registered = figures["memory"]["stages"], figures["memory"]["registered_each"]
    tcp, upgraded = stages["tcp"]["each"], stages["upgraded"]["each"]
    session, worked = stages["session"]["each"], stages["worked"]["each"]
    tls = stages["tls_worked"]["each"] - worked
    return "\n".join([
        "## Memory of one connected device", "",
        f"Growth of the hub's PSS (`/proc/PID/smaps_rollup`), divided by {figures['memory']['devices']:,} devices "
        "that are stopped at each stage in a hub of their own.", "",
        "| part | KB | is |", "|---|---|---|",
        f"| domain, registered | {registered:.2f} | device, record, indexes; also while it is away |",
        f"| socket | {tcp:.2f} | an accepted TCP connection that says nothing: HTTP connection and its coroutine |",
        f"| WebSocket | {upgraded:.2f} | after the upgrade, before the handshake: replaces the line above |",
        f"| session | {session - upgraded:.2f} | after handshake and welcome: identity, class, cursor |",
        f"| domain, working | {worked - session:.2f} | after documents and fan-outs |",
        f"| **plain, all** | **{worked + registered:.2f}** | |",
        f"| TLS | {tls:.2f} | OpenSSL's connection state |",
        f"| **TLS, all** | **{worked + tls + registered:.2f}** | |", "",
        f"A TLS connection that has shaken hands and says nothing: {stages['tls_tcp']['each']:.2f} KB. The kernel adds "
        f"about {stages['worked']['kernel_each']:.1f} KB of slab for both ends of a connection on loopback.", "", ""])


def function_details(figures):
    found = figures.get("functions")
    if not found:
        return ""
    lines = ["## Functions", "", "| benchmark | CPU time | items/s |", "|---|---|---|"]
    for name, entry in found.items():
        items = f"{entry['items_per_second']:,.0f}" if entry.get("items_per_second") else ""
        lines.append(f"| {name} | {entry['time']:,.1f} {entry['unit']} | {items} |")
    return "\n".join(lines) + "\n\n"


METHOD = """## Method

- The server of the moment, hub or peer, is pinned to core 0, the load to core 1, all on loopback. Hub and peers take
  turns within each run; a ratio is the median of the runs' ratios. Every process is in a scheduling group of its own
  with a high weight, so that other work on the machine gets what is left.
- `load_client` is raw epoll and shares no networking code with the hub. Connections come from many loopback source
  addresses (`IP_BIND_ADDRESS_NO_PORT`), 1,000 from each.
- A fan-out begins when the publisher sends and ends when it knows that all have answered. For the hub that is: PUT of
  one setting of the fleet, plan, validation, commit with fsync, 10,000 `config_update`, 10,000 `config_status`, and
  `GET /changes/N/progress` that counts all as applied. nats-server and mosquitto store and decide nothing; their
  answers are published to the publisher, who counts them. mosquitto does so at QoS 1 both ways, which is the
  nearest to what the hub promises; the cheaper figure, with answers at QoS 0, stands beside it.
- `epoll_reference` has a minimal codec without ping, close, fragmentation and limits. `base_reference` is the
  hub's own server with nothing behind it.
- The simulated devices prove themselves with a token and an Ed25519 signature, apply every patch and check its hash
  (once for each distinct message), and keep it in memory.
- REST during fan-outs: 500 reads/s at fixed times on 8 connections; latency counts from when a read was due. The
  prober has priority over the fan-out's load on their core, since waiting for that is not the hub's doing.
- etcd: `POST /v3/kv/put` of 300 bytes through its JSON gateway, as many keep-alive connections as the hub has, data
  on the same disk. The gateway costs etcd part of its speed; its gRPC interface is not measured.
- Memory: PSS of the process. nats-server's is its largest while 10,000 subscribers get a few fan-outs. Hubs start afresh for each stage, with all devices registered, and have served one
  device before the first look. A part can come out small, or below nothing, where it lives in what loading the
  database left free; the sums count every page once.
"""


def render(figures, arguments):
    table = Table()
    for rows in (fanout_rows, latency_rows, size_rows, scale_rows):
        rows(table, figures)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            cwd=pathlib.Path(__file__).parent).stdout.strip()
    notes = pathlib.Path(__file__).parents[2] / "NOTES.md"
    return "\n".join([
        "# Benchmarks of the hub", "",
        f"Written by `bench/run_processes.py --runs {arguments.runs}` on {now} at {commit}. Machine: {machine()}.",
        f"Peers: {versions()}. Build: `cmake --preset release && ninja -C build/release`.", "",
        table.text(), "",
        fanout_details(figures) + memory_details(figures) + function_details(figures) + METHOD,
        notes.read_text() if notes.exists() else ""])
