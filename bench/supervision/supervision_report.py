"""Turns the figures into bench/SUPERVISION.md."""
import datetime
import subprocess

import report

GROWTH_KIB = 64  # what an allocator keeps differs by so much from run to run


def versions():
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "s6", "supervisor", "g++"],
                           capture_output=True, text=True)
    return ", ".join(asked.stdout.split("\n")).rstrip(", ")


def when():
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return f"{now} at {head}"


def ratio(found, other, *path):
    """How many times more the other one needs; \"\" where it cannot be said."""
    if other not in found or "starling" not in found:
        return ""
    mine, theirs = found["starling"], found[other]
    for key in path:
        mine, theirs = mine[key], theirs[key]
    return f"{other} {theirs / mine:.2f} x" if mine else other


def beside(found, *path):
    return ", ".join(filter(None, (ratio(found, other, *path) for other in ("s6", "supervisord", "raw"))))


def verdicts(figures):
    table = report.Table()
    if "starling" in figures.get("kills", {}):
        found = figures["kills"]
        mine = found["starling"]
        table.add(f"SIGKILL of a module to the agent knowing, {mine['kills']:,} kills", "p99 <= 5 ms",
                  f"p50 {mine['known']['p50_ms']:.2f}, p99 **{mine['known']['p99_ms']:.2f} ms**",
                  beside(found, "known", "p99_ms"), mine["known"]["p99_ms"] <= 5)
        table.add("ends that it did not tell of", "0", str(mine["missed"]), "", mine["missed"] == 0)
        table.add("SIGKILL of a module to a running replacement, first failure", "p99 <= 250 ms",
                  f"p50 {mine['replaced']['p50_ms']:.0f}, p99 **{mine['replaced']['p99_ms']:.0f} ms**",
                  beside(found, "replaced", "p99_ms"), mine["replaced"]["p99_ms"] <= 250)
    if "starling" in figures.get("idle", {}):
        found = figures["idle"]
        mine = found["starling"]
        for name, label, bound in (("private_dirty", "private dirty", 4), ("pss", "PSS", 9)):
            table.add(f"agent and keeper, 20 modules, TLS: {label}", f"<= {bound} MB",
                      f"**{mine['memory_kib'][name] / 1024:.2f} MB**", beside(found, "memory_kib", name),
                      mine["memory_kib"][name] <= bound * 1024)
        table.add("wake-ups when idle", "< 0.5/s", f"**{mine['wakeups_per_s']:.2f}/s**", "",
                  mine["wakeups_per_s"] < 0.5)
        grown = mine["growth"]
        table.add(f"growth over {grown['transitions']:,} transitions", f"none (<= {GROWTH_KIB} KB)",
                  f"**{grown['private_dirty_kib']} KB**", "", grown["private_dirty_kib"] <= GROWTH_KIB)
    if "starling" in figures.get("parallel_start", {}):
        found = figures["parallel_start"]
        busy, bare = found["starling"]["busy"], found["raw"]["busy"]
        table.add("200 modules started in parallel, until all are ready", "limited by the machine: as busy as with bare spawns",
                  f"{found['starling']['all_ready_ms']:.0f} ms, **{busy:.0%} busy**, raw {bare:.0%}", beside(found, "all_ready_ms"),
                  busy >= bare)
    return table.text()


def kill_details(found):
    lines = ["## Kills", "", "| supervisor | kills | not told of | known p50, p99, max ms | replaced p50, p99, max ms |",
             "|---|---|---|---|---|"]
    for name, one in found.items():
        known, replaced = (", ".join(f"{one[what][key]:.2f}" for key in ("p50_ms", "p99_ms", "max_ms"))
                           for what in ("known", "replaced"))
        lines.append(f"| {name} | {one['kills']:,} | {one['missed']} | {known} | {replaced} |")
    return lines


def idle_details(found):
    lines = ["## 20 modules that do nothing", "",
             "| supervisor | processes | private dirty KB | PSS KB | wake-ups/s | transitions | more private dirty KB |",
             "|---|---|---|---|---|---|---|"]
    for name, one in found.items():
        memory, grown = one["memory_kib"], one["growth"]
        lines.append(f"| {name} | {one['processes']} | {memory['private_dirty']:,} | {memory['pss']:,} | "
                     f"{one['wakeups_per_s']:.2f} | {grown['transitions']:,} | {grown['private_dirty_kib']} |")
    return lines


def parallel_start_details(found):
    lines = ["## 200 modules at once", "", "| | all ready after ms (median) | processors busy | runs |", "|---|---|---|---|"]
    for name, one in found.items():
        lines.append(f"| {name} | {one['all_ready_ms']:.0f} | {one['busy']:.0%} | {', '.join(f'{run:.0f}' for run in one['runs_ms'])} |")
    return lines


DETAILS = {"kills": kill_details, "idle": idle_details, "parallel_start": parallel_start_details}


def details(figures):
    return "\n\n".join("\n".join(DETAILS[name](found)) for name, found in figures.items())


def render(rows, arguments):
    figures = {name: rows[name]["found"] for name in DETAILS if name in rows}
    began = "; ".join(f"{name} {rows[name]['when']}" for name in figures)
    return f"""# Benchmarks of the supervisor

Written by `bench/run_supervision.py{' --quick' if arguments.quick else ''}` ({began}). Machine: {report.machine()}.
Peers: {versions()}. All keep the same static program, which tells the bench when it runs. *Beside* says how many times
more the other one needs, in the same run.

{verdicts(figures)}

{details(figures)}

An end is *known* when the supervisor tells a subscriber of it: Starling a transition in its journal (`ctl journal -f`), s6 a `d` in
the service's event folder, supervisord `PROCESS_STATE_EXITED` to an event listener. It is *replaced* when the new process
runs and says so. Starling waits 200 ms ± 20 % before it, by design; the others do not wait after a run of more than a
second. Starling's agent is connected to a hub over TLS meanwhile, and fsyncs what has to outlive a power cut.
*Parallel start* counts from the start of the supervisor itself, `raw` being 200 times `posix_spawn`.
"""
