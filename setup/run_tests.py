#!/usr/bin/env python3
"""Runs every test runner of the workspace, shows its output, and ends with one line: N passed, N failed.

A runner that fails without a failed test (it did not build, say) counts as one failure.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WALL = ROOT / "central-hub" / "wall"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CARGO = re.compile(r"test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored")
VITEST = re.compile(r"^\s*Tests\s+(.*)$")


def count(line):
    """(passed, failed, skipped) that a line reports, or zeros."""
    line = COLOUR.sub("", line)
    if found := CARGO.search(line):
        return tuple(int(n) for n in found.groups())
    if found := VITEST.match(line):
        of = lambda word: sum(int(n) for n in re.findall(rf"(\d+) {word}", found.group(1)))
        return of("passed"), of("failed"), of("skipped")
    return 0, 0, 0


def run(name, command, folder):
    print(f"==> {name}: {' '.join(command)}", flush=True)
    total = [0, 0, 0]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for raw in child.stdout:
        line = raw.decode(errors="replace")
        sys.stdout.write(line)
        sys.stdout.flush()
        total = [a + b for a, b in zip(total, count(line))]
    code = child.wait()
    if code != 0 and total[1] == 0:
        print(f"{name} ended with {code} although no test failed", flush=True)
        total[1] = 1
    return total


def main():
    runs = [("cargo", ["cargo", "test", "--workspace", "--no-fail-fast"], ROOT)]
    if (WALL / "package.json").is_file():
        runs.append(("wall", ["npm", "test"], WALL))
        runs.append(("wall in Chromium", ["npm", "run", "test:browser"], WALL))
    totals = [run(*one) for one in runs]
    passed, failed, skipped = (sum(column) for column in zip(*totals))
    note = f", {skipped} skipped" if skipped else ""
    print(f"\n{passed} passed, {failed} failed{note}", flush=True)
    sys.exit(1 if failed or passed == 0 else 0)


if __name__ == "__main__":
    os.environ.setdefault("RUST_BACKTRACE", "0")
    main()
