#!/usr/bin/env python3
"""Measures our deltas beside those of other tools and writes bench/DELTA.md.

Each pair is what two versions of a Debian package hold, packed as a release; the tools get the same two tars. The pairs
are the oldest and the newest version that the mirror has today. Takes about twenty minutes.
"""
import argparse
import datetime
import json
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TOOL = ROOT / "build/release/bin/starling_delta_tool"
PEERS = ["xdelta3", "bsdiff", "casync", "zchunk", "zstd", "time"]
EVERYWHERE = ["libssl3", "python3.11-minimal", "redis-tools", "libcurl4", "libglib2.0-0", "openssh-client"]
PACKAGES = {
    "amd64": [*EVERYWHERE, "libpython3.11-stdlib", "libc6", "libxml2", "mosquitto", "nginx", "perl-modules-5.36", "git"],
    "arm64": EVERYWHERE,
    "armhf": EVERYWHERE,
}
MEASURED = ("xdelta3", "bsdiff", "casync", "zchunk")  # the target: no more bytes than the best of these


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, **options)


def measured(*command):
    """Seconds of CPU and megabytes that a command takes."""
    with tempfile.NamedTemporaryFile("r") as figures:
        run("/usr/bin/time", "-f", "%U %S %M", "-o", figures.name, *command, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        user, system, kilobytes = figures.read().split()
    return {"seconds": float(user) + float(system), "megabytes": int(kilobytes) / 1024}


class Mirror:
    """Packages of an architecture, by an apt that shares nothing with the machine's own."""

    def __init__(self, folder, architecture):
        self.architecture = architecture
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        self.options = [f"-oAPT::Architecture={architecture}", f"-oAPT::Architectures::={architecture}",
                        f"-oDir::State::lists={folder}/lists", f"-oDir::Cache={folder}/cache",
                        f"-oDir::State::status={folder}/status", "-oDebug::NoLocking=1", "-oAPT::Sandbox::User=root"]
        run("apt-get", *self.options, "update", "-qq", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def versions(self, package):
        """The oldest and the newest; fewer if there are no two."""
        listed = run("apt-cache", *self.options, "madison", package, capture_output=True, text=True).stdout
        found = {line.split("|")[1].strip() for line in listed.splitlines()}
        ordered = []
        for version in found:
            place = sum(subprocess.run(["dpkg", "--compare-versions", version, "gt", other]).returncode == 0
                        for other in found)
            ordered.append((place, version))
        return [version for _, version in sorted(ordered)][::max(1, len(ordered) - 1)]

    def unpack(self, package, version, folder):
        folder.mkdir(parents=True)
        run("apt-get", *self.options, "download", "-qq", f"{package}={version}", cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        content = folder / "content"
        run("dpkg-deb", "-x", next(folder.glob("*.deb")), content)
        as_a_release_may_be(content)
        return content


def as_a_release_may_be(folder):
    for path in folder.rglob("*"):
        if path.is_symlink():
            target = pathlib.Path(path.readlink())
            if target.is_absolute() or ".." in target.parts:
                path.unlink()
        elif path.is_file():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


class Pair:
    """Two tars, and what each tool makes of them."""

    def __init__(self, folder, old_content, new_content):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.old, self.new, self.unpacked = folder / "old.tar", folder / "new.tar", folder / "unpacked"
        run(TOOL, "pack", old_content, self.old)
        run(TOOL, "pack", new_content, self.new)
        self.unpacked.mkdir(exist_ok=True)
        run("tar", "-xf", self.old, "-C", self.unpacked)

    def check(self):
        made = self.folder / "made"
        run("cmp", made, self.new)
        made.unlink()

    def by_patch(self, make, apply, delta):
        """Of a tool that writes one file."""
        figures = {"make": measured(*make), "bytes": delta.stat().st_size, "apply": measured(*apply)}
        self.check()
        return figures

    def starling(self):
        delta = self.folder / "starling"
        return self.by_patch([TOOL, "make", self.old, self.new, delta],
                             [TOOL, "apply", self.unpacked, delta, self.folder / "made"], delta)

    def xdelta3(self):
        delta = self.folder / "xdelta3"
        return self.by_patch(["xdelta3", "-9", "-S", "lzma", "-e", "-f", "-s", self.old, self.new, delta],
                             ["xdelta3", "-d", "-f", "-s", self.old, delta, self.folder / "made"], delta)

    def bsdiff(self):
        delta = self.folder / "bsdiff"
        return self.by_patch(["bsdiff", self.old, self.new, delta], ["bspatch", self.old, self.folder / "made", delta],
                             delta)

    def zstd_patch(self):
        delta = self.folder / "zstd"
        return self.by_patch(["zstd", "-q", "-f", "-19", "--ultra", "--long=27", f"--patch-from={self.old}", self.new, "-o", delta],
                             ["zstd", "-q", "-f", "-d", "--long=27", f"--patch-from={self.old}", delta, "-o", self.folder / "made"],
                             delta)

    def casync(self):
        """What a client that has the old tar's chunks fetches: the index, and the new ones."""
        store, indexes = self.folder / "store.castr", [self.folder / "old.caibx", self.folder / "new.caibx"]
        run("casync", "make", f"--store={store}", indexes[0], self.old, stdout=subprocess.DEVNULL)
        known = {path.name for path in store.rglob("*.cacnk")}
        make = measured("casync", "make", f"--store={store}", indexes[1], self.new)
        fetched = sum(path.stat().st_size for path in store.rglob("*.cacnk") if path.name not in known)
        figures = {"make": make, "bytes": fetched + indexes[1].stat().st_size,
                   "apply": measured("casync", "extract", f"--store={store}", f"--seed={self.old}", indexes[1],
                                     self.folder / "made")}
        self.check()
        return figures

    def zchunk(self):
        """What its own tool counts; it fetches from web servers only, so that its applying is not measured."""
        files = [self.folder / "old.zck", self.folder / "new.zck"]
        for tar, out in zip((self.old, self.new), files):
            run("zck", "-o", out, tar, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        said = run("zck_delta_size", *files, capture_output=True, text=True).stdout
        return {"bytes": int(said.split("Would download ")[1].split()[0])}

    def full(self):
        out = self.folder / "full"
        run("zstd", "-q", "-f", "-19", self.new, "-o", out)
        return {"bytes": out.stat().st_size}

    def figures(self):
        return {"tar": self.new.stat().st_size, "full": self.full(), "starling": self.starling(),
                "xdelta3": self.xdelta3(), "bsdiff": self.bsdiff(), "zstd": self.zstd_patch(), "casync": self.casync(),
                "zchunk": self.zchunk()}


def machine():
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")
    versions = run("dpkg-query", "-W", "-f", "${Package} ${Version}, ", *PEERS[:-1], capture_output=True, text=True).stdout
    return f"{cpu}, Linux {platform.release()}; {versions.rstrip(', ')}"


def row(name, figures):
    best = min(figures[peer]["bytes"] for peer in MEASURED)
    ours = figures["starling"]["bytes"]
    cells = [name, figures["tar"], figures["full"]["bytes"], f"**{ours:,}**", *(figures[peer]["bytes"] for peer in MEASURED),
             figures["zstd"]["bytes"], f"{ours / best:.2f}", "held" if ours <= best else "**missed**"]
    return "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in cells) + " |"


def cost_row(name, figures):
    def cost(of):
        return f"{of['seconds']:.2f} s, {of['megabytes']:.0f} MB"
    cells = [name, cost(figures["starling"]["make"]), cost(figures["bsdiff"]["make"]),
             *(cost(figures[tool]["apply"]) for tool in ("starling", "bsdiff", "xdelta3", "zstd", "casync"))]
    return "| " + " | ".join(cells) + " |"


def render(pairs):
    revision = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD", capture_output=True, text=True).stdout.strip()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    worst = max(figures["starling"]["apply"]["megabytes"] for figures in pairs.values())
    held = sum(figures["starling"]["bytes"] <= min(figures[peer]["bytes"] for peer in MEASURED) for figures in pairs.values())
    return "\n".join([
        "# Deltas", "",
        f"Written by `bench/run_delta.py` on {now} at {revision}. Machine: {machine()}.", "",
        "Bytes over the wire for an update from one version of a package's content to another, both packed as releases.",
        "`full` is zstd -19 of the new tar, `zstd` its --patch-from at -19. xdelta3 at -9 with LZMA, the others as they are.",
        "Ratio: ours to the best of xdelta3, bsdiff, casync and zchunk; the target is at most 1.", "",
        f"Held for {held} of {len(pairs)} pairs. Memory to apply ours: at most {worst:.0f} MB (target: 64).", "",
        "| pair | tar | full | starling | " + " | ".join(MEASURED) + " | zstd | ratio | |",
        "|---|" + "---:|" * 9 + "---|",
        *(row(name, figures) for name, figures in pairs.items()), "",
        "## Time and memory", "",
        "CPU seconds of one run and the largest resident size, ours from the unpacked release and with its hash taken. zchunk",
        "fetches from web servers only: its applying is not measured.", "",
        "| pair | make, starling | make, bsdiff | apply, starling | bspatch | xdelta3 | zstd | casync |", "|---|" + "---:|" * 7,
        *(cost_row(name, figures) for name, figures in pairs.items()), ""])


def measure(arguments, folder):
    figures_path = pathlib.Path(arguments.figures) if arguments.figures else folder / "figures.json"
    pairs = json.loads(figures_path.read_text()) if figures_path.exists() else {}

    def take(name, pair):
        pairs[name] = pair.figures()
        figures_path.write_text(json.dumps(pairs, indent=1))
        print(row(name, pairs[name]), flush=True)

    for architecture, packages in PACKAGES.items():
        mirror = Mirror(folder / f"apt-{architecture}", architecture)
        for package in packages:
            if arguments.only and package not in arguments.only:
                continue
            versions = mirror.versions(package)
            if len(versions) < 2:
                print(f"{package} {architecture}: the mirror has one version only", flush=True)
                continue
            place = folder / f"{package}-{architecture}"
            contents = [mirror.unpack(package, version, place / f"v{i}") for i, version in enumerate(versions)]
            take(f"{package} {architecture}: {versions[0]} → {versions[1]}", Pair(place, *contents))
    if arguments.own:
        take("our own programs, amd64", Pair(folder / "own", *arguments.own))
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="one package; may be repeated")
    parser.add_argument("--own", nargs=2, metavar=("OLD", "NEW"), help="folders of our programs, of two commits")
    parser.add_argument("--figures", help="a JSON file that collects the pairs of several calls")
    parser.add_argument("--report", default=str(HERE / "DELTA.md"))
    arguments = parser.parse_args()
    if not TOOL.exists():
        sys.exit(f"{TOOL} is not there: cmake --preset release && ninja -C build/release starling_delta_tool")
    with tempfile.TemporaryDirectory(prefix="starling-delta-") as temporary:
        pairs = measure(arguments, pathlib.Path(temporary))
    pathlib.Path(arguments.report).write_text(render(pairs))
    print(f"written: {arguments.report}")


if __name__ == "__main__":
    main()
