"""What goes where in each package: lays the files out below a folder, with modes and one time."""

import gzip
import os
import shutil
import subprocess
from email.utils import formatdate
from pathlib import Path

import notices

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MAINTAINER = "Signalbox <packages@signalbox.invalid>"


class Missing(Exception):
    """A file that must be made first, and how. In English and Chinese."""


def put(source, target, mode=0o644):
    source = Path(source)
    if not source.is_file():
        raise Missing(f"{source} is missing: run `make setup`", f"缺少 {source}：请先运行 make setup")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def write(data, target, mode=0o644):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data if isinstance(data, bytes) else data.encode())
    target.chmod(mode)


def cache():
    if os.environ.get("SIGNALBOX_CACHE"):
        return Path(os.environ["SIGNALBOX_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signalbox"


def agent(tree):
    share, prepared = tree / "usr/share/signalbox", cache()
    library = tree / "usr/lib/signalbox/libonnxruntime.so"
    put(prepared / "runtime/libonnxruntime.so", library)
    # Its symbols are of no use on a box, and a fifth of its size.
    subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)
    doc = tree / "usr/share/doc/signalbox-agent/onnxruntime-notices.txt.gz"
    notes = prepared / "runtime/ThirdPartyNotices.txt"
    if not notes.is_file():
        raise Missing(f"{notes} is missing: run `make setup`", f"缺少 {notes}：请先运行 make setup")
    write(gzip.compress(notes.read_bytes(), 9, mtime=0), doc)
    for card in sorted((ROOT / "models").glob("*.toml")):
        put(card, share / "models" / card.name)
        put(prepared / "models" / f"{card.stem}.onnx", share / "models" / f"{card.stem}.onnx")
    for folder in ("pipelines", "hardware-profiles"):
        for path in sorted((ROOT / folder).glob("*.toml")):
            put(path, share / folder / path.name)


def hub(tree):
    dist = ROOT / "central-hub/wall/dist"
    if not (dist / "index.html").is_file():
        raise Missing("the wall is not built: run `make setup`", "大屏页面未构建：请先运行 make setup")
    for path in sorted(p for p in dist.rglob("*") if p.is_file()):
        put(path, tree / "usr/share/signalbox/wall" / path.relative_to(dist))


def history(name, number, moment):
    """Debian's form of it, which points to ours."""
    return (f"{name} ({number}) stable; urgency=medium\n\n  * See CHANGELOG.md.gz in this folder.\n\n"
            f" -- {MAINTAINER}  {formatdate(moment)}\n")


def shared(tree, kind, said, programs, number, moment):
    """What both have: the program, its unit, settings, licences, guide."""
    name, program = said["name"], said["program"]
    put(programs / program, tree / "usr/bin" / program, 0o755)
    put(HERE / kind / f"{name}.service", tree / "lib/systemd/system" / f"{name}.service")
    put(HERE / kind / f"{program}.toml", tree / "etc" / name / f"{program}.toml")
    doc = tree / "usr/share/doc" / name
    write((HERE / kind / "copyright").read_text() + (HERE / "licences.txt").read_text(), doc / "copyright")
    parts = list(notices.crates(ROOT, program)) + (list(notices.wall(ROOT)) if kind == "hub" else [])
    write(notices.text(parts), doc / "third-party.txt.gz")
    write(gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), 9, mtime=0), doc / "CHANGELOG.md.gz")
    write(gzip.compress(history(name, number, moment).encode(), 9, mtime=0), doc / "changelog.gz")
    for guide in sorted((ROOT / "docs/guide").glob("install.*.md")):
        put(guide, doc / guide.name)
    overrides = HERE / kind / "lintian-overrides"
    if overrides.is_file():
        put(overrides, tree / "usr/share/lintian/overrides" / name)


def lay_out(tree, kind, said, programs, number, moment):
    if tree.exists():
        shutil.rmtree(tree)
    tree.mkdir(parents=True)
    tree.chmod(0o755)
    shared(tree, kind, said, programs, number, moment)
    {"agent": agent, "hub": hub}[kind](tree)
    for path in tree.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
