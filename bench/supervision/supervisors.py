"""Starling, s6 and supervisord, each keeping the same modules, behind one interface.

A supervisor is a context. Every module tells the bench itself when it is ready (`ready NAME PID`), so that the same
clock is read at the same place for all; only that a supervisor *knows* of an end is heard from the supervisor.
"""
import json
import os
import pathlib
import select
import socket
import subprocess
import time
import xmlrpc.client
from http.client import HTTPConnection

import rows
from servers import BIN, BenchError, find_program, spawn

PROBE = BIN / "supervised_probe"


def processor_ticks():
    """Of all processors since they were started: busy ones, and all."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, idle, iowait, *others = map(int, fields)
    busy = user + nice + system + sum(others)
    return busy, busy + idle + iowait


class Supervisor:
    """Modules m0, m1, ... of one supervisor."""
    name = ""

    def __init__(self, folder, count, run=0):
        self.folder = pathlib.Path(folder) / f"{self.name}-{count}-{run}"
        self.folder.mkdir(parents=True)
        self.modules = [f"m{number}" for number in range(count)]
        self.ready_path = self.folder / "ready.sock"
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.ready.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.ready.bind(str(self.ready_path))
        self.log = open(self.folder / "supervisor.log", "ab")
        self.pids = {}
        self.started_at = {}
        self.process = None

    # What each supervisor does in its own way:
    def prepare(self): ...
    def command(self): ...
    def subscribe(self): ...           # to ends of modules
    def event_handles(self): ...       # of that subscription
    def read_ends(self): ...           # names of the modules that it knows to have ended
    def supervising(self): ...         # its own processes
    def rearm(self, module): ...       # the next end of the module counts as its first
    def cycle(self, modules): ...      # stops and starts them; returns when they are stopped and asked to start
    transitions_of_cycle = 4           # for each module: stopping, stopped, starting, running

    def __enter__(self):
        self.prepare()
        self.launched, self.ticks_before = time.monotonic_ns(), processor_ticks()
        self.process = spawn([str(part) for part in self.command()], stdout=self.log, stderr=self.log,
                             stdin=subprocess.DEVNULL, cwd=self.folder, env={**os.environ, **self.environment()})
        return self

    def environment(self):
        return {}

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.ready.close()
        self.log.close()

    def take_ready(self):
        """Names of those that have said so since the last call."""
        said, now = [], time.monotonic_ns()
        while True:
            try:
                _, module, pid = self.ready.recv(256).decode().split()
            except BlockingIOError:
                return said
            self.pids[module], self.started_at[module] = int(pid), now
            said.append(module)

    def await_ready(self, modules, seconds=120):
        """When the last of them was ready (monotonic ns)."""
        missing, deadline = set(modules), time.monotonic() + seconds
        while missing:
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: {len(missing)} modules are not ready after {seconds} s; its log is "
                                 f"{self.folder}/supervisor.log")
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} has ended; its log is {self.folder}/supervisor.log")
            select.select([self.ready], [], [], 1)
            missing -= set(self.take_ready())
        return time.monotonic_ns()


class S6(Supervisor):
    name = "s6"

    def service(self, module):
        return self.folder / "scan" / module

    def prepare(self):
        for module in self.modules:
            self.service(module).mkdir(parents=True)
            run = self.service(module) / "run"
            run.write_text(f"#!/bin/sh\nexec {PROBE} run {module} {self.ready_path}\n")
            run.chmod(0o755)
            (self.service(module) / "notification-fd").write_text("3\n")

    def command(self):
        return [find_program("s6-svscan"), "-c", "1000", self.folder / "scan"]  # at most so many services

    def subscribe(self):
        # As s6-ftrigrd does it: a fifo with a name of this form in the event folder hears of every change.
        self.fifos = {}
        for module in self.modules:
            fifo = self.service(module) / f"event/ftrig1:@40000000{int(time.time()):08x}{os.getpid():08x}:bench0"
            os.mkfifo(fifo)
            self.fifos[os.open(fifo, os.O_RDWR | os.O_NONBLOCK)] = module

    def event_handles(self):
        return list(self.fifos)

    def read_ends(self):
        ended = []
        for handle, module in self.fifos.items():
            try:
                ended += [module] * os.read(handle, 64).count(b"d")
            except BlockingIOError:
                pass
        return ended

    def supervising(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid] + [int(child) for child in children]

    def rearm(self, module):
        pass

    def cycle(self, modules):
        for way in ("-d", "-u"):
            for module in modules:
                subprocess.run(["s6-svc", *(["-wD"] if way == "-d" else []), way, self.service(module)], check=True)

    def __exit__(self, *_):
        subprocess.run(["s6-svscanctl", "-t", self.folder / "scan"], check=False)
        super().__exit__()


class LocalTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path):
        super().__init__()
        self.path = str(path)

    def make_connection(self, host):
        connection = HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path)
        return connection


class Supervisord(Supervisor):
    name = "supervisord"

    def prepare(self):
        control = self.folder / "control.sock"
        programs = "".join(f"[program:{module}]\ncommand={PROBE} run {module} {self.ready_path}\nstartsecs=0\n"
                           "autorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n" for module in self.modules)
        self.ends_path = self.folder / "ends.sock"
        self.ends = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.ends.bind(str(self.ends_path))
        (self.folder / "supervisord.conf").write_text(
            f"[supervisord]\nnodaemon=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\nminfds=4096\n"
            f"pidfile={self.folder}/supervisord.pid\n[unix_http_server]\nfile={control}\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[eventlistener:bench]\ncommand={PROBE} listen {self.ends_path}\n"
            f"events=PROCESS_STATE_EXITED\nbuffer_size=1000\nstderr_logfile=NONE\n{programs}")
        self.rpc = xmlrpc.client.ServerProxy("http://localhost/RPC2", LocalTransport(control))

    def command(self):
        return [find_program("supervisord"), "-c", self.folder / "supervisord.conf"]

    def subscribe(self):
        pass  # its listener is started by itself

    def event_handles(self):
        return [self.ends]

    def read_ends(self):
        ended = []
        while True:
            try:
                ended.append(self.ends.recv(256).decode().split()[1])
            except BlockingIOError:
                return ended

    def supervising(self):
        return [self.process.pid]

    def rearm(self, module):
        pass

    def cycle(self, modules):
        for method, more in (("stopProcess", []), ("startProcess", [False])):
            answers = self.rpc.system.multicall([{"methodName": f"supervisor.{method}", "params": [module, *more]}
                                                 for module in modules])
            for answer in answers:
                if answer is not True:
                    raise BenchError(f"supervisord: {method}: {answer}")

    def __exit__(self, *_):
        super().__exit__()
        self.ends.close()


class Starling(Supervisor):
    """With its hub, over TLS, as on a device."""
    name = "starling"

    def prepare(self):
        self.hub = rows.Bench(self.folder, 1, False).hub("hub", tls=True)
        self.hub.__enter__()
        key_file = self.folder / "hub.key"
        key_file.write_text(self.hub.key())
        key_file.chmod(0o600)
        self.state = self.folder / "state"
        for module in self.modules:
            folder = self.folder / "modules" / module
            folder.mkdir(parents=True)
            (folder / "module.toml").write_text(f'exec = "{PROBE}"\nargs = ["run", "{module}", "{self.ready_path}"]\n'
                                                'readiness = "notify"\n')
            (folder / "config.txt").write_text("enabled = true\n")
        self.key_file = key_file

    def command(self):
        return [BIN / "starling-keeper", "--state", self.state, "--", BIN / "starling-agent", "--state", self.state,
                "--hub", self.hub.url(), "--pin", self.pin(), "--key-file", self.key_file, "--name", "bench",
                "--modules", self.folder / "modules"]

    def pin(self):
        certificate = self.hub.command[self.hub.command.index("--tls-cert") + 1]
        shell = ("openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der | "
                 "openssl dgst -sha256 -binary | base64")
        return "sha256/" + subprocess.run(["sh", "-c", shell, certificate], capture_output=True, text=True,
                                          check=True).stdout.strip()

    def subscribe(self):
        self.journal = self.ask({"request": "journal", "follow": True, "after": 0})
        self.journal.setblocking(False)
        self.unread = b""
        self.read_ends()

    def ask(self, request):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.state / "control.sock"))
        connection.sendall(json.dumps(request).encode() + b"\n")
        return connection

    def order(self, command, modules):
        waiting = [self.ask({"request": "command", "command": command, "module": module}) for module in modules]
        for connection in waiting:
            answer = json.loads(connection.makefile().readline())
            connection.close()
            if not answer["ok"]:
                raise BenchError(f"{command}: {answer['message']}")

    def event_handles(self):
        return [self.journal]

    def read_ends(self):
        while True:
            try:
                piece = self.journal.recv(1 << 16)
            except BlockingIOError:
                break
            if not piece:
                raise BenchError("the agent has closed the journal")
            self.unread += piece
        *lines, self.unread = self.unread.split(b"\n")
        transitions = [json.loads(line).get("transition", {}) for line in lines]
        return [one["module"] for one in transitions if one.get("to") == "crashed"]

    def supervising(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        agent = [int(child) for child in children
                 if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "starling-agent"]
        return [self.process.pid, *agent]

    def rearm(self, module):
        self.order("start", [module])

    def cycle(self, modules):
        for command in ("stop", "start"):
            self.order(command, modules)

    def __exit__(self, *_):
        super().__exit__()
        self.hub.__exit__()


SUPERVISORS = {kind.name: kind for kind in (Starling, S6, Supervisord)}
