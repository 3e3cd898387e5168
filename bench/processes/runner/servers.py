"""Starts what is measured, each on its own core and port, and ends it by its process id."""
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = ROOT / "build/release/bin"
SERVER_CORE, LOAD_CORE = 0, 1


class BenchError(Exception):
    """Says what went wrong to the person who runs the benchmarks."""


def pinned(core, command):
    return ["taskset", "-c", str(core)] + [str(part) for part in command]


def spawn(command, **options):
    """Starts a process in a scheduling group of its own with a high weight, so that other work on the machine
    gets what is left."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        pathlib.Path(f"/proc/{process.pid}/autogroup").write_text("-20")
    except OSError:
        pass  # not root, or a kernel without it: figures are noisier
    return process


def run(command, **options):
    """Runs a process to its end: (status, standard output, standard error)."""
    with spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            out, errors = process.communicate()
        except BaseException:
            process.kill()
            raise
    return process.returncode, out, errors


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise BenchError(f"{name} is missing: run bench/run_processes.py --install-peers")
    return path


class Server:
    """One process under measurement. Use as a context."""

    def __init__(self, name, command, port, folder, environment=None, ready=None):
        self.name, self.command, self.port = name, command, port
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self.environment = {**os.environ, **(environment or {})}
        self.ready = ready or self.accepts
        self.process = None
        self.started_in = 0.0

    def __enter__(self):
        with open(self.log_path, "ab") as log:
            start = time.monotonic()
            self.process = spawn(pinned(SERVER_CORE, self.command), stdout=log, stderr=log,
                                 stdin=subprocess.DEVNULL, env=self.environment)
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() - start > 60:
                self.__exit__()
                raise BenchError(f"{self.name} did not start; its log is {self.log_path}:\n"
                                 + self.log_path.read_text(errors="replace")[-2000:])
            time.sleep(0.005)
        self.started_in = time.monotonic() - start
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def memory_kib(self):
        """Proportional set size and private memory, in KiB."""
        found = {}
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split(":")
            found[name] = int(value.split()[0])
        return {"pss": found["Pss"], "private": found["Private_Dirty"] + found["Private_Clean"]}

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def epoll_reference(folder):
    port = free_port()
    return Server("epoll_reference", [BIN / "epoll_reference", port], port, folder)


def base_reference(folder):
    port = free_port()
    return Server("base_reference", [BIN / "base_reference", port], port, folder)


def nats(folder):
    port = free_port()
    return Server("nats-server", [find_program("nats-server"), "-a", "127.0.0.1", "-p", port], port, folder)


def mosquitto(folder):
    port = free_port()
    configuration = pathlib.Path(folder) / "mosquitto.conf"
    # Without these limits lifted it would drop answers to the publisher.
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
                             "max_connections -1\nmax_queued_messages 0\nmax_inflight_messages 0\n")
    return Server("mosquitto", [find_program("mosquitto"), "-c", configuration], port, folder)


def etcd(folder):
    port, peer = free_port(), free_port()
    url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    data = pathlib.Path(folder) / f"etcd-{port}"
    return Server("etcd", [find_program("etcd"), "--data-dir", data, "--listen-client-urls", url,
                           "--advertise-client-urls", url, "--listen-peer-urls", peer_url,
                           "--initial-advertise-peer-urls", peer_url, "--initial-cluster",
                           f"default={peer_url}"], port, folder)


ADMIN_KEY = "sk_bench_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


class Hub(Server):
    def __init__(self, folder, data, options=(), tls=False):
        port = free_port()
        command = [BIN / "starling-hub", "--data", data, "--listen", f"127.0.0.1:{port}", *options]
        super().__init__("starling-hub", command, port, folder,
                         {"STARLING_BOOTSTRAP_ADMIN_KEY": ADMIN_KEY}, ready=self.answers_ready)
        self.tls = tls
        self.data = pathlib.Path(data)

    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def key(self):
        return (self.data / "admin.key").read_text().strip() if (self.data / "admin.key").exists() else ADMIN_KEY

    def answers_ready(self):
        try:
            return self.get_text("/readyz", timeout=5) is not None
        except OSError:
            return False

    def get_text(self, target, timeout=30):
        return self.ask("GET", target, None, timeout)

    def put(self, target, body):
        return json.loads(self.ask("PUT", target, json.dumps(body).encode(), 30))

    def ask(self, method, target, body, timeout):
        context = ssl._create_unverified_context() if self.tls else None
        headers = {"Authorization": f"Bearer {self.key()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url() + target, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=timeout, context=context) as reply:
            return reply.read().decode()

    def get(self, target):
        return json.loads(self.get_text(target))

    def metric(self, name):
        """The sum over all labels of a metric, or None if the hub has no such metric."""
        values = [float(line.rsplit(" ", 1)[1]) for line in self.get_text("/metrics").splitlines()
                  if line.split("{")[0].split(" ")[0] == name]
        return sum(values) if values else None


def load(scenario, server, *options, prefix=()):
    """Runs the load client to its end and gives its figures."""
    command = list(prefix) + pinned(LOAD_CORE, [BIN / "load_client", scenario, "--server", server.url(), *options])
    status, out, errors = run(command)
    if status != 0:
        raise BenchError(f"{' '.join(command)}\n{errors.strip()}")
    return json.loads(out.splitlines()[-1])


class Holding:
    """Devices that stay connected while something else is looked at. Use as a context."""

    def __init__(self, server, *options):
        self.command = pinned(LOAD_CORE, [BIN / "load_client", "hold", "--server", server.url(), *options])

    def __enter__(self):
        self.process = spawn(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        if "holding" not in self.process.stdout.readline():
            raise BenchError(f"{' '.join(self.command)}\n{self.process.stderr.read().strip()}")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
