#!/usr/bin/env python3
"""Builds the Debian packages: `make package`.

    build.py [--version VERSION] [--no-build] [--programs FOLDER] [--out FOLDER]

Ends with target/package/signalbox-{agent,hub}_VERSION_ARCH.deb. The same commit gives the same bytes: every time in
a package is SOURCE_DATE_EPOCH, by default the last commit's. --no-build takes the programs that are there, --programs those of another
folder.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import stage  # noqa: E402

ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SCRIPTS = ("postinst", "prerm", "postrm")


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout.strip()


class Step:
    """Prints a step's name when it starts and its time when it ends."""

    def __init__(self, english, chinese):
        self.english, self.chinese = english, chinese

    def __enter__(self):
        print(f"==> {self.english} {self.chinese}", flush=True)
        self.start = time.monotonic()

    def __exit__(self, kind, *_):
        word = "failed 失败" if kind else "done 完成"
        print(f"    {word}, {time.monotonic() - self.start:.1f} s", flush=True)


def version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def epoch():
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or output("git", "log", "-1", "--format=%ct", cwd=ROOT))


def libraries(tree, scratch):
    """The packages of the libraries that the programs are linked to, by dpkg-shlibdeps."""
    (scratch / "debian").mkdir(parents=True, exist_ok=True)
    (scratch / "debian/control").write_text("Source: signalbox\n\nPackage: signalbox\nArchitecture: any\n")
    found = [str(p) for p in (*tree.glob("usr/bin/*"), *tree.glob("usr/lib/signalbox/*"))]
    said = output("dpkg-shlibdeps", "-O", "--ignore-missing-info", f"-l{tree}/usr/lib/signalbox",
                  *(f"-e{p}" for p in found), cwd=scratch)
    return said.removeprefix("shlibs:Depends=").split(", ")


def control(tree, said, architecture, number, scratch):
    size = sum(p.stat().st_size for p in tree.rglob("*") if p.is_file() and "DEBIAN" not in p.parts) // 1024
    depends = ", ".join(sorted({*libraries(tree, scratch), *said["depends"]}))
    return (f"Package: {said['name']}\nVersion: {number}\nArchitecture: {architecture}\n"
            f"Maintainer: {stage.MAINTAINER}\n"
            f"Installed-Size: {size}\nDepends: {depends}\nRecommends: {', '.join(said['recommends'])}\n"
            f"Section: {said['section']}\nPriority: optional\n"
            f"Description: {said['title']}\n{said['description'].strip(chr(10))}\n")


def scripts(tree, said):
    words = {"NAME": said["name"], "WHAT": said["what"], "GROUPS": said["groups"], "FOLDERS": said["folders"]}
    for name in SCRIPTS:
        text = (HERE / f"{name}.in").read_text()
        text = re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text)
        # An empty list would be a loop over nothing, which shells refuse.
        text = re.sub(r"for (\w+) in ;", r"for \1 in $none;", text)
        stage.write(text, tree / "DEBIAN" / name, 0o755)


def checksums(tree):
    files = sorted(p for p in tree.rglob("*") if p.is_file() and "DEBIAN" not in p.relative_to(tree).parts)
    return "".join(f"{hashlib.md5(p.read_bytes()).hexdigest()}  {p.relative_to(tree)}\n" for p in files)


def settle_times(tree, moment):
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (moment, moment), follow_symlinks=False)


def fingerprint(tree, number):
    """What a package is made from; the same again needs no packing."""
    whole = hashlib.sha256(f"{number} {epoch()}\n".encode())
    for path in sorted(p for p in tree.rglob("*") if p.is_file()):
        whole.update(f"{path.relative_to(tree)} {path.stat().st_mode:o}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def package(kind, number, out, pressing, programs):
    said = tomllib.loads((HERE / kind / "package.toml").read_text())
    architecture = output("dpkg", "--print-architecture")
    tree, scratch = out / "tree" / kind, out / "scratch" / kind
    stage.lay_out(tree, kind, said, programs, number, epoch())
    scripts(tree, said)
    settings = f"/etc/{said['name']}/{said['program']}.toml\n"
    stage.write(settings, tree / "DEBIAN/conffiles")
    stage.write(checksums(tree), tree / "DEBIAN/md5sums")
    stage.write(control(tree, said, architecture, number, scratch), tree / "DEBIAN/control")
    settle_times(tree, epoch())
    deb = out / f"{said['name']}_{number}_{architecture}.deb"
    stamp, made_from = scratch / f"{deb.name}.stamp", fingerprint(tree, number)
    if not (deb.is_file() and stamp.is_file() and stamp.read_text() == made_from):
        output("dpkg-deb", "--root-owner-group", *pressing, "--build", str(tree), str(deb),
               env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())})
        stamp.write_text(made_from)
    shutil.rmtree(tree)
    print(f"    {deb.relative_to(ROOT) if deb.is_relative_to(ROOT) else deb}: {deb.stat().st_size / 1e6:.1f} MB")
    return deb


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--version", default=version())
    words.add_argument("--no-build", action="store_true", help="take the programs that are there")
    words.add_argument("--programs", type=Path, default=TARGET / "release", help="where they are")
    words.add_argument("--loose", action="store_true", help="do not compress; for tests")
    words.add_argument("--out", type=Path, default=TARGET / "package")
    args = words.parse_args()
    start = time.monotonic()
    if not args.no_build:
        with Step("programs", "编译程序"):
            subprocess.run(["cargo", "build", "--release", "--locked", "-p", "edge-agent", "--bin", "edge-agent",
                            "-p", "central-hub", "--bin", "central-hub"], cwd=ROOT, check=True)
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for kind, english, chinese in (("agent", "agent's package", "边缘盒软件包"), ("hub", "hub's package", "中心软件包")):
        with Step(english, chinese):
            package(kind, args.version, out, ("-Znone",) if args.loose else ("-Zxz", "-z6"), args.programs)
    print(f"packages ready in {time.monotonic() - start:.0f} s 软件包完成")


if __name__ == "__main__":
    try:
        main()
    except stage.Missing as missing:
        sys.exit("package: " + "\n  ".join(missing.args))
    except subprocess.CalledProcessError as error:
        sys.exit(f"package: `{' '.join(map(str, error.cmd[:3]))} ...` failed: see above 失败：见上方输出")
