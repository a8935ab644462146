"""The licences of what is built into a program or into the wall: every text once, with whom it is for."""

import gzip
import hashlib
import json
import subprocess
from collections import defaultdict
from pathlib import Path

TEXTS = ("licen[cs]e*", "LICEN[CS]E*", "Licen[cs]e*", "COPYING*", "NOTICE*", "UNLICENSE*")


def built_in(metadata, program):
    """The crates that `program` is linked from: normal dependencies, all the way down."""
    packages = {p["id"]: p for p in metadata["packages"]}
    nodes = {n["id"]: n for n in metadata["resolve"]["nodes"]}
    start = next(i for i, p in packages.items() if p["name"] == program)
    seen, todo = set(), [start]
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        todo += [d["pkg"] for d in nodes[one]["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
    return [packages[i] for i in seen if packages[i]["source"]]


def crates(root, program):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline",
               "--filter-platform", "x86_64-unknown-linux-gnu"]
    out = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout
    for p in built_in(json.loads(out), program):
        yield f"{p['name']} {p['version']}", p["license"] or "see its text", Path(p["manifest_path"]).parent


def wall(root):
    folder = root / "central-hub" / "wall"
    wanted, seen = list(json.loads((folder / "package.json").read_text())["dependencies"]), set()
    while wanted:
        name = wanted.pop()
        home = folder / "node_modules" / name
        if name in seen or not home.is_dir():
            continue
        seen.add(name)
        said = json.loads((home / "package.json").read_text())
        wanted += said.get("dependencies", {})
        yield f"{name} {said['version']} (wall)", said.get("license", "see its text"), home


def text(parts):
    """One readable file: a list, then each text with the parts that carry it."""
    listed, carriers = [], defaultdict(set)
    for name, licence, home in parts:
        listed.append(f"{name}: {licence}")
        for path in sorted({p for pattern in TEXTS for p in home.glob(pattern) if p.is_file()}):
            words = path.read_text(errors="replace").strip()
            carriers[words].add(name)
    out = ["What this package is built from", "=" * 31, "", *sorted(listed), ""]
    for words, names in sorted(carriers.items(), key=lambda item: (min(item[1]), hashlib.sha256(item[0].encode()).hexdigest())):
        out += ["-" * 78, "For " + ", ".join(sorted(names)) + ":", "", words, ""]
    return gzip.compress("\n".join(out).encode(), 9, mtime=0)
