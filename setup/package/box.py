"""A clean Debian below a folder: made, entered, started and cleared away again.

Everything that is mounted for it lives in a mount namespace of the one command that needs it, so that nothing can
stay behind. Starting it (systemd as its first process) takes systemd-nspawn, and has a network of its own.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

INSIDE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
BASE = "ca-certificates,systemd,systemd-sysv,dbus"


class Failed(Exception):
    """A command inside that did not end well."""


def sources():
    """(address, release) of this machine's own Debian."""
    release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)[1]
    for path in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        for part in path.read_text().split("\n\n"):
            address = re.search(r"^URIs:\s*(\S+)", part, re.M)
            if address and re.search(rf"^Suites:.*\b{release}( |$)", part, re.M) and re.search(r"^Components:.*\bmain\b", part, re.M):
                return address[1], release
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt").glob("sources.list.d/*.list"))):
        found = re.search(rf"^deb (?:\[.*?\] )?(\S+) {release} .*\bmain\b", path.read_text(), re.M) if path.is_file() else None
        if found:
            return found[1], release
    raise Failed("no Debian source in /etc/apt")


class Box:
    def __init__(self, folder):
        self.folder, self.root = folder, folder / "root"
        self.archives, self.base = folder / "archives", folder / "base.tar"
        self.container = self.leader = None

    def make(self):
        self.clear()
        self.archives.mkdir(parents=True, exist_ok=True)
        address, release = sources()
        if not self.base.is_file():
            # It mounts what it needs inside, and may be cut off: in a namespace of its own nothing can stay.
            self._outside("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "debootstrap", "--variant=minbase", f"--include={BASE}", f"--cache-dir={self.archives}",
                          release, str(self.root), address, limit=900)
            self._outside("tar", "-C", str(self.root), "-cf", f"{self.base}.new", ".", limit=120)
            os.replace(f"{self.base}.new", self.base)
        else:
            self.root.mkdir()
            self._outside("tar", "-C", str(self.root), "-xf", str(self.base), limit=120)
        (self.root / "etc/apt/sources.list").write_text(f"deb {address} {release} main\n")
        # The folder is thrown away: no need to wait for the disk after each file.
        (self.root / "etc/dpkg/dpkg.cfg.d/no-sync").write_text("force-unsafe-io\n")
        (self.root / "archives").mkdir()

    def clear(self):
        self.stop()
        if self.root.exists():
            shutil.rmtree(self.root)

    def run(self, *command, limit=60, check=True, user=None, env=None):
        """A command inside: what it said and how it ended."""
        words = [*(("runuser", "-u", user, "--") if user else ()), *command]
        inner = ('set -e; mount --bind "$1" "$2/archives"; mount -t proc proc "$2/proc"; '
                 'mount --rbind /dev "$2/dev"; root=$2; shift 2; exec chroot "$root" "$@"')
        ran = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inner, "sh", str(self.archives), str(self.root), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit,
            env={**INSIDE, **(env or {})})
        return self._judge(command, ran, check)

    def apt(self, *words, limit=300, check=True):
        return self.run("apt-get", "-y", "-q", "--no-install-recommends", "-o", "Dir::Cache::Archives=/archives",
                        "-o", "APT::Keep-Downloaded-Packages=true", "-o", "APT::Sandbox::User=root", *words, limit=limit, check=check)

    def start(self):
        """systemd and all services, as on a box that was switched on."""
        log = open(self.folder / "console.log", "wb")
        self.container = subprocess.Popen(
            ["systemd-nspawn", "-D", str(self.root), "--register=no", "--keep-unit", "--private-network",
             "--console=pipe", "-b"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.until(lambda: self._find_leader(), 30, "the container's first process")
        self.until(lambda: self.inside("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"),
                   60, "the start of all services")

    def inside(self, *command, limit=60, check=True):
        """A command in the started container."""
        ran = subprocess.run(["nsenter", "-t", str(self.leader), "-a", *command], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit, env=INSIDE)
        return self._judge(command, ran, check)

    def until(self, condition, limit, what):
        """Asks again and again whether `condition` holds, for at most `limit` seconds."""
        end = time.monotonic() + limit
        while not (answer := condition()):
            if time.monotonic() > end:
                raise Failed(f"waited {limit} s for {what}")
            time.sleep(0.2)
        return answer

    def stop(self):
        """Ends the container's first process, and with it everything inside."""
        if self.leader:
            try:
                os.kill(self.leader, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.container:
            try:
                self.container.wait(20)
            except subprocess.TimeoutExpired:
                self.container.kill()
                self.container.wait()
        self.container = self.leader = None

    def _find_leader(self):
        found = Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children").read_text().split()
        for one in found:
            # Until it has become the first process inside, it still is systemd-nspawn.
            if Path(f"/proc/{one}/comm").read_text().strip() == "systemd":
                self.leader = int(one)
        return self.leader

    def _outside(self, *command, limit):
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)
        self._judge(command, ran, True)

    @staticmethod
    def _judge(command, ran, check):
        if check and ran.returncode:
            said = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-15:])
            raise Failed(f"`{' '.join(command)[:200]}` ended with {ran.returncode}:\n{said}")
        return ran
