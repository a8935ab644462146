#!/usr/bin/env python3
"""Tests the packages in a clean Debian below target/: `make package-test`.

Installs them, looks at files, modes and users, runs what they hold, starts the services in their sandbox, goes from
there to the first alert in ten commands, updates, removes, purges; purging must leave nothing. Ends with one line: N passed, N failed, N skipped.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import build  # noqa: E402
import stage  # noqa: E402
from box import Box, Failed  # noqa: E402

FOLDER = build.TARGET / "package-test"
NAMES = ("signalbox-agent", "signalbox-hub")
CLIP = stage.cache() / "clips/vtest.mp4"
TEN_COMMANDS = build.ROOT / "tests/install/ten_commands.sh"
CAMERA_PORT = 8554
# What the unit files must reach, by `systemd-analyze security`: 0 is shut, 10 is open.
EXPOSURE = 2.5
PASSING = ("/proc/", "/sys/", "/dev/", "/run/", "/tmp/", "/var/tmp/", "/archives", "/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/",
           "/var/log/", "/var/lib/systemd/", "/root/", "/srv/", "/etc/machine-id", "/etc/.pwd.lock", "/etc/.updated", "/var/.updated",
           "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid", "/etc/subgid",
           "/var/lib/dbus", "/etc/hostname", "/etc/resolv.conf", "/etc/ld.so.cache", "/usr/share/locale")


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def check(self, what, holds, detail=""):
        word = "ok    " if holds else "FAILED"
        print(f"    {word} {what}{'' if holds else f': {detail}'}", flush=True)
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)

    def skip(self, what, why):
        print(f"    skipped: {what}: {why}", flush=True)
        self.skipped += 1


def debs(folder, number):
    architecture = build.output("dpkg", "--print-architecture")
    return [folder / f"{name}_{number}_{architecture}.deb" for name in NAMES]


def everything(box):
    """Every file and user inside, but for what comes and goes by itself."""
    found = box.run("find", "/", "-xdev", "-printf", "%p\n", limit=120).stdout.splitlines()
    files = {path for path in found if not f"{path}/".startswith(PASSING) and not path.startswith(PASSING)}
    users = {line.split(":")[0] for name in ("passwd", "group") for line in (box.root / "etc" / name).read_text().splitlines()}
    return files, users


def put_in(box, paths):
    for path in paths:
        shutil.copy(path, box.root / "srv" / path.name)
    return [f"/srv/{path.name}" for path in paths]


def mode(box, path):
    return box.run("stat", "-c", "%U:%G %a", path, check=False).stdout.strip()


def installed(box, tally, packages):
    depends = build.output("dpkg-deb", "-f", str(packages[0]), "Depends") + ", " + build.output("dpkg-deb", "-f", str(packages[1]), "Depends")
    names = sorted({one.split()[0] for one in depends.split(", ")})
    box.apt("update", limit=120)
    box.apt("install", *names, limit=900)
    before = everything(box)
    said = box.apt("install", *put_in(box, packages)).stdout
    tally.check("install, with nothing missing among the dependencies", "2 newly installed" in said, said[-300:])
    for path, wanted in {
        "/usr/bin/edge-agent": "root:root 755", "/usr/bin/central-hub": "root:root 755",
        "/var/lib/signalbox-agent": "signalbox-agent:signalbox-agent 700", "/var/lib/signalbox-hub": "signalbox-hub:signalbox-hub 700",
        "/etc/signalbox-agent/edge-agent.toml": "root:root 644", "/etc/signalbox-hub/central-hub.toml": "root:root 644",
        "/etc/signalbox-agent/cameras": "signalbox-agent:signalbox-agent 750",
        "/usr/lib/signalbox/libonnxruntime.so": "root:root 644", "/usr/share/signalbox/wall/index.html": "root:root 644",
    }.items():
        tally.check(f"{path} is {wanted}", mode(box, path) == wanted, mode(box, path))
    for name in NAMES:
        shell = box.run("getent", "passwd", name).stdout.strip().rsplit(":", 1)[-1]
        tally.check(f"nobody can log in as {name}", shell == "/usr/sbin/nologin", shell)
        linked = box.run("test", "-L", f"/etc/systemd/system/multi-user.target.wants/{name}.service", check=False)
        tally.check(f"{name} starts with the machine", linked.returncode == 0)
    groups = set(box.run("id", "-Gn", "signalbox-agent").stdout.split())
    wanted = {"video", "render"} & {line.split(":")[0] for line in (box.root / "etc/group").read_text().splitlines()}
    tally.check(f"the agent may use video hardware ({', '.join(sorted(wanted))})", wanted and wanted <= groups, groups)
    return before


def programs(box, tally):
    verify = box.run("edge-agent", "models", "verify", user="signalbox-agent", limit=120, check=False)
    tally.check("edge-agent models verify", verify.returncode == 0, verify.stdout + verify.stderr)
    doctor = box.run("edge-agent", "doctor", "--json", user="signalbox-agent", limit=120, check=False)
    try:
        answer = json.loads(doctor.stdout)
    except ValueError:
        answer = None
    tally.check("edge-agent doctor --json answers", isinstance(answer, dict), doctor.stdout + doctor.stderr)
    help_text = box.run("central-hub", "--help").stdout
    tally.check("central-hub --help", "serve" in help_text, help_text)


def units(box, tally):
    for name in NAMES:
        path = f"/lib/systemd/system/{name}.service"
        verify = box.run("systemd-analyze", "verify", "--man=no", path, check=False)
        about = [line for line in verify.stderr.splitlines() if name in line]
        tally.check(f"systemd-analyze verify {name}", not about, "; ".join(about))
        said = box.run("systemd-analyze", "security", "--offline=true", "--no-pager", path, check=False).stdout
        figure = float(said.rsplit("service:", 1)[1].split()[0])
        tally.check(f"{name}: exposure {figure} of at most {EXPOSURE}", figure <= EXPOSURE)


def page(box):
    ask = "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
    return box.inside("bash", "-c", ask, check=False).stdout


def state(box, unit, what="ActiveState"):
    return box.inside("systemctl", "show", "--value", "-p", what, unit).stdout.strip()


def services(box, tally):
    """What only a started machine shows."""
    box.start()
    box.until(lambda: state(box, "signalbox-hub") == "active", 60, "the hub's READY")
    tally.check("the hub is up in its sandbox", state(box, "signalbox-hub") == "active")
    tally.check("it says how it is", "wall on" in state(box, "signalbox-hub", "StatusText"), state(box, "signalbox-hub", "StatusText"))
    answer = page(box)
    tally.check("it serves the wall", "200 OK" in answer and "<html" in answer.lower(), answer[:200])
    tally.check("the agent waits until it is provisioned",
                (state(box, "signalbox-agent"), state(box, "signalbox-agent", "ConditionResult")) == ("inactive", "no"))
    sandboxed_replay(box, tally)
    hung_hub(box, tally)
    ten_commands(box, tally)
    box.inside("systemctl", "stop", "signalbox-agent", "signalbox-hub")
    tally.check("it stops in order", state(box, "signalbox-hub", "Result") == "success", state(box, "signalbox-hub", "Result"))
    box.stop()


def sandboxed_replay(box, tally):
    """Decoding child, inference and all, in the very sandbox of the agent's unit."""
    if not CLIP.is_file():
        return tally.skip("decoding and inference in the sandbox", f"needs {CLIP}: run `make setup`")
    unit = (box.root / "lib/systemd/system/signalbox-agent.service").read_text().splitlines()
    drop = ("ConditionPathExists=", "ExecStart=", "ExecReload=", "Restart=", "Type=", "WatchdogSec=", "NotifyAccess=", "WantedBy=", "TimeoutStartSec=")
    lines = [line for line in unit if not line.startswith(drop)]
    at = lines.index("[Service]") + 1
    lines[at:at] = ["Type=oneshot", "TimeoutStartSec=10min", "ExecStart=/usr/bin/edge-agent replay /opt/clip.mp4 --pipeline /usr/share/signalbox/pipelines/demo.toml "
                    "--events /var/lib/signalbox-agent/try-events --stats /var/lib/signalbox-agent/try-stats"]
    shutil.copy(CLIP, box.root / "opt/clip.mp4")
    (box.root / "etc/systemd/system/sandbox-try.service").write_text("\n".join(lines) + "\n")
    box.inside("systemctl", "daemon-reload")
    ran = box.inside("systemctl", "start", "sandbox-try", limit=620, check=False)
    log = box.inside("journalctl", "-u", "sandbox-try", "--no-pager", "-o", "cat", check=False).stdout[-900:]
    tally.check("the agent's sandbox lets decoding and inference work", ran.returncode == 0, ran.stderr + log)
    events = box.root / "var/lib/signalbox-agent/try-events"
    count = len(events.read_text().splitlines()) if events.is_file() else 0
    tally.check(f"{count} events were found in there", count > 0, log)
    for path in (events, events.with_name("try-stats"), box.root / "etc/systemd/system/sandbox-try.service", box.root / "opt/clip.mp4"):
        path.unlink(missing_ok=True)


def hung_hub(box, tally):
    before = state(box, "signalbox-hub", "MainPID")
    box.inside("bash", "-c", "mkdir -p /run/systemd/system/signalbox-hub.service.d && printf '[Service]\\nWatchdogSec=15\\nTimeoutAbortSec=3\\n' "
               "> /run/systemd/system/signalbox-hub.service.d/try.conf && systemctl daemon-reload && systemctl restart signalbox-hub")
    box.until(lambda: state(box, "signalbox-hub") == "active", 60, "the hub's READY")
    first = state(box, "signalbox-hub", "MainPID")
    tally.check("a restart is a new process", first != before)
    start = time.monotonic()
    box.inside("kill", "-STOP", first)
    box.until(lambda: state(box, "signalbox-hub") == "active" and state(box, "signalbox-hub", "MainPID") not in (first, "0"),
              60, "the hub to be started anew")
    tally.check(f"a hub that hangs is started anew ({time.monotonic() - start:.0f} s with a patience of 15 s)", True)
    box.inside("rm", "-r", "/run/systemd/system/signalbox-hub.service.d")


def ten_commands(box, tally, language="en_GB.UTF-8"):
    """From here to the first alert, as an installer types it, against a simulated camera in the box's network. What was
    printed stays below target/, for the pictures of the guide."""
    simulator = build.TARGET / "debug/camera-sim"
    if not CLIP.is_file() or not simulator.is_file():
        return tally.skip("ten commands to the first alert", f"needs {CLIP} and {simulator}: run `make setup build`")
    folder = box.root / "root/install"
    folder.mkdir()
    (folder / "gate.password").touch(0o600)
    (folder / "gate.password").write_text("a-password-of-the-camera\n")
    shutil.copy(TEN_COMMANDS, folder)
    (FOLDER / "cameras.toml").write_text(f'clip = "{CLIP}"\n[[camera]]\nid = "gate"\nport = {CAMERA_PORT}\nuser = "gate"\n'
                                         f'password_file = "{folder}/gate.password"\n')
    with open(FOLDER / "camera.log", "wb") as log:
        camera = subprocess.Popen(["nsenter", "-t", str(box.leader), "-n", str(simulator), "--config", str(FOLDER / "cameras.toml")],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        ran = box.inside("bash", "-c", f"cd /root/install && mkdir printed && env -u LC_ALL LANG={language} TRANSCRIPTS=printed ./ten_commands.sh "
                         f"rtsp://127.0.0.1:{CAMERA_PORT}/stream gate gate.password 2>&1", check=False, limit=300)
    finally:
        camera.kill()
        camera.wait()
    print("\n".join(f"      {line}" for line in ran.stdout.splitlines()), flush=True)
    log = box.inside("journalctl", "-u", "signalbox-agent", "-n", "20", "--no-pager", "-o", "cat", check=False).stdout
    tally.check("from installed packages to the first alert in ten commands and three minutes", ran.returncode == 0, log)
    for name, folders in (("signalbox-agent", ("/var/lib/signalbox-agent", "/etc/signalbox-agent/cameras")), ("signalbox-hub", ("/var/lib/signalbox-hub",))):
        others = box.inside("find", *folders, "!", "-user", name).stdout.split()
        tally.check(f"root's commands left only files of {name}", not others, others)
    printed = FOLDER / "printed" / language
    shutil.rmtree(printed, ignore_errors=True)
    shutil.copytree(folder / "printed", printed)
    still = folder / "gate.jpg"
    tally.check("what root named is root's", still.is_file() and still.stat().st_uid == 0)
    shutil.copy(still, printed)


def updated(box, tally, packages):
    for name, settings in zip(NAMES, ("edge-agent.toml", "central-hub.toml")):
        with open(box.root / "etc" / name / settings, "a") as file:
            file.write("# mine\n")
        box.run("sh", "-c", f"echo kept > /var/lib/{name}/mine", user=name)
    box.apt("install", *put_in(box, packages))
    for name, settings, program in zip(NAMES, ("edge-agent.toml", "central-hub.toml"), ("edge-agent", "central-hub")):
        tally.check(f"update of {name} keeps an edited configuration", (box.root / "etc" / name / settings).read_text().endswith("# mine\n"))
        tally.check(f"update of {name} keeps its data", (box.root / "var/lib" / name / "mine").read_text() == "kept\n")
        now = box.run("dpkg-query", "-W", "-f", "${Version}", name).stdout
        tally.check(f"{name} is {now}", now.endswith("+1"), now)
        tally.check(f"{program} runs", box.run(program, "--version", check=False).returncode == 0)


def removed(box, tally, before):
    box.apt("remove", *NAMES)
    for name in NAMES:
        tally.check(f"removing {name} keeps data and configuration",
                    (box.root / "var/lib" / name / "mine").is_file() and any((box.root / "etc" / name).glob("*.toml")))
    tally.check("the programs are gone", not list((box.root / "usr/bin").glob("*-hub")) and not (box.root / "usr/bin/edge-agent").exists())
    box.apt("purge", *NAMES)
    files, users = everything(box)
    tally.check("purging leaves no file", not files - before[0], sorted(files - before[0])[:10])
    tally.check("purging takes no file of others", not before[0] - files, sorted(before[0] - files)[:10])
    tally.check("purging leaves no user and no group", users == before[1], sorted(users ^ before[1]))


def lint(tally, packages):
    if not shutil.which("lintian"):
        return tally.skip("lintian", "apt-get install lintian")
    for path in packages:
        ran = subprocess.run(["lintian", "--fail-on", "error", "--no-tag-display-limit", "--allow-root", str(path)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        errors = [line for line in ran.stdout.splitlines() if line.startswith("E:")]
        tally.check(f"lintian {path.name}", ran.returncode == 0, "\n".join(errors) or ran.stdout)


def course(box, tally):
    number = build.version()
    packages, newer = debs(build.TARGET / "package", number), debs(FOLDER / "next", f"{number}+1")
    steps = {
        "lintian": lambda: lint(tally, packages),
        "a newer version 新版本": lambda: subprocess.run(
            [sys.executable, str(HERE / "build.py"), "--no-build", "--loose", "--version", f"{number}+1", "--out", str(FOLDER / "next"),
             *sys.argv[1:]],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600),
        "a clean Debian 干净的系统": box.make,
        "install 安装": lambda: before.append(installed(box, tally, packages)),
        "programs 程序": lambda: programs(box, tally),
        "units 服务": lambda: units(box, tally),
        "started 运行": lambda: services(box, tally) if shutil.which("systemd-nspawn") else
        tally.skip("services in their sandbox", "needs systemd-nspawn: apt-get install systemd-container"),
        "update 升级": lambda: updated(box, tally, newer),
        "remove and purge 卸载": lambda: removed(box, tally, before[0]),
    }
    before = []
    for name, step in steps.items():
        with build.Step(name, ""):
            step()


def main():
    if os.geteuid() != 0:
        print("skipped: needs root 需要 root")
        return 0
    if not shutil.which("debootstrap"):
        print("skipped: needs debootstrap: apt-get install debootstrap")
        return 0
    tally, box, start = Tally(), Box(FOLDER), time.monotonic()
    try:
        course(box, tally)
    except (Failed, subprocess.SubprocessError) as error:
        tally.check("the course of the test", False, error)
    finally:
        box.clear()
    print(f"\n{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped, {time.monotonic() - start:.0f} s")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
