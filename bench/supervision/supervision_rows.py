"""Each function measures one row of all supervisors: it gives a dict of figures for each."""
import os
import pathlib
import select
import statistics
import time

from supervisors import PROBE, SUPERVISORS, BenchError, Supervisor, processor_ticks, spawn

LEAST_AGE_S = 1.5  # s6 and supervisord treat what ends within its first second as failing to start


class Bench:
    def __init__(self, folder, quick, only):
        self.folder = pathlib.Path(folder)
        self.kills = {"starling": 100 if quick else 1_000, "s6": 20 if quick else 200,
                      "supervisord": 20 if quick else 200}
        self.idle_seconds = 5 if quick else 60
        self.transitions = {"starling": 2_000 if quick else 100_000, "s6": 2_000 if quick else 10_000,
                            "supervisord": 800 if quick else 2_000}
        self.runs = 1 if quick else 5
        self.kinds = [SUPERVISORS[name] for name in only or SUPERVISORS]


def percentiles(samples_ns):
    ordered = sorted(samples_ns)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6  # noqa: E731
    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": ordered[-1] / 1e6}


def kill_one(supervisor, module):
    """SIGKILL to knowledge of it, and to the replacement that says that it is ready: nanoseconds."""
    age_ns = time.monotonic_ns() - supervisor.started_at[module]
    time.sleep(max(0, LEAST_AGE_S - age_ns / 1e9))
    supervisor.take_ready()
    supervisor.read_ends()
    pid, known, replaced = supervisor.pids[module], None, None
    handles = [supervisor.ready, *supervisor.event_handles()]
    deadline = time.monotonic() + 30
    begin = time.monotonic_ns()
    os.kill(pid, 9)
    while (known is None or replaced is None) and time.monotonic() < deadline:
        select.select(handles, [], [], 1)
        now = time.monotonic_ns()
        if known is None and module in supervisor.read_ends():
            known = now - begin
        if replaced is None and module in supervisor.take_ready():
            replaced = now - begin
    return known, replaced


def kills(bench):
    found = {}
    for kind in bench.kinds:
        with kind(bench.folder, 20, "kills") as supervisor:
            supervisor.await_ready(supervisor.modules)
            supervisor.subscribe()
            known, replaced = [], []
            for number in range(bench.kills[kind.name]):
                module = supervisor.modules[number % len(supervisor.modules)]
                knowledge, replacement = kill_one(supervisor, module)
                if replacement is None:
                    raise BenchError(f"{kind.name}: {module} was not replaced within 30 s")
                if knowledge is not None:
                    known.append(knowledge)
                replaced.append(replacement)
                supervisor.rearm(module)
        found[kind.name] = {"kills": len(replaced), "missed": len(replaced) - len(known),
                            "known": percentiles(known), "replaced": percentiles(replaced)}
    return found


def memory_kib(pids):
    total = {"Pss": 0, "Private_Dirty": 0}
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split(":")
            if name in total:
                total[name] += int(value.split()[0])
    return {"pss": total["Pss"], "private_dirty": total["Private_Dirty"]}


def wakeups(pids):
    count = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    count += int(line.split()[1])
    return count


def idle(bench):
    """What 20 modules that do nothing cost, and what it costs after many transitions."""
    found = {}
    for kind in bench.kinds:
        with kind(bench.folder, 20, "idle") as supervisor:
            supervisor.await_ready(supervisor.modules)
            time.sleep(3 if bench.idle_seconds < 60 else 90)  # until nothing of the start is going on any more
            pids = supervisor.supervising()
            before, counted = memory_kib(pids), wakeups(pids)
            time.sleep(bench.idle_seconds)
            figures = {"processes": len(pids), "memory_kib": before,
                       "wakeups_per_s": (wakeups(pids) - counted) / bench.idle_seconds}
            figures["growth"] = growth(supervisor, bench.transitions[kind.name])
        found[kind.name] = figures
    return found


def growth(supervisor, wanted):
    """After a first tenth, that fills what is kept (journals, pools): what is more at the end."""
    each = len(supervisor.modules) * supervisor.transitions_of_cycle
    cycles = max(10, wanted // each)
    for number in range(cycles + cycles // 10):
        if number == cycles // 10:
            before = memory_kib(supervisor.supervising())
        supervisor.cycle(supervisor.modules)
        supervisor.await_ready(supervisor.modules)
    after = memory_kib(supervisor.supervising())
    return {"transitions": cycles * each, **{f"{name}_kib": after[name] - before[name] for name in after}}


class RawForks(Supervisor):
    """The floor: a program that starts them and nothing else."""
    name = "raw"

    def prepare(self):
        pass

    def command(self):
        return [PROBE, "fork", len(self.modules), self.ready_path]

    def __exit__(self, *arguments):
        for pid in self.pids.values():
            os.kill(pid, 9)
        super().__exit__(*arguments)


def parallel_start(bench):
    """200 modules, from the start of the supervisor until all are ready, and how busy the machine was by then."""
    samples = {kind.name: [] for kind in (RawForks, *bench.kinds)}
    ticks = {name: [0, 0] for name in samples}
    for run in range(bench.runs):
        for kind in (RawForks, *bench.kinds):
            with kind(bench.folder, 200, f"start{run}") as supervisor:
                ready = supervisor.await_ready(supervisor.modules)
                samples[kind.name].append((ready - supervisor.launched) / 1e6)
                for i, now in enumerate(processor_ticks()):
                    ticks[kind.name][i] += now - supervisor.ticks_before[i]
    return {name: {"all_ready_ms": statistics.median(times), "runs_ms": times,
                   "busy": ticks[name][0] / max(1, ticks[name][1])} for name, times in samples.items()}


ROWS = {"kills": kills, "idle": idle, "parallel_start": parallel_start}
