#!/usr/bin/env python3
"""Draws what commands printed as a picture of a terminal, for the guides.

    terminal.py OUT.svg FILE...

The pictures of docs/guide/install.*.md, with t as `make package-test` leaves it in target/package-test/printed/:

    terminal.py install-token.en.svg t/1.txt            terminal.py install-provision.en.svg t/2.txt
    terminal.py install-camera.en.svg t/3.txt t/4.txt   terminal.py install-doctor.en.svg t/5.txt t/6.txt

Each FILE is a transcript of tests/install/ten_commands.sh: `# command`, then what it printed. A file of several
commands has several such lines.
"""

import html
import sys
import unicodedata
from pathlib import Path

COLUMN, LINE, MARGIN, WIDEST = 8.4, 19, 16, 118
FONT = "'DejaVu Sans Mono','Noto Sans Mono CJK SC','Noto Sans CJK SC',monospace"
COLOURS = {"command": "#ffffff", "plain": "#c8d0da", "ok": "#8fd694", "warning": "#f2c572", "broken": "#ff8f80", "cure": "#9ccbff"}
WORDS = {"ok": ("ok ", "正常"), "warning": ("warning ", "注意"), "broken": ("broken ", "故障"), "cure": ("-> ",)}


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(line):
    """Pieces of at most WIDEST columns, broken at spaces where there are any."""
    while columns(line) > WIDEST:
        fits = 0
        while columns(line[:fits + 1]) <= WIDEST:
            fits += 1
        cut = line.rfind(" ", WIDEST // 2, fits)
        cut = fits if cut < 0 else cut
        yield line[:cut]
        line = "      " + line[cut:].lstrip()
    yield line


def kind(line):
    bare = line.lstrip()
    if line.startswith("# "):
        return "command"
    return next((name for name, words in WORDS.items() if bare.startswith(words)), "plain")


def lines(paths):
    for path in paths:
        for line in Path(path).read_text().rstrip("\n").split("\n"):
            yield from ((piece, kind(line)) for piece in wrapped(line.rstrip()))
        yield "", "plain"


def piece(text, row, colour):
    """Every run of one width is placed by itself, so that columns stand in line whatever the fonts."""
    at, out, run = 0, [], ""
    y = MARGIN + LINE * row + 14

    def flush(end):
        if run.strip():
            x = MARGIN + COLUMN * (end - columns(run))
            out.append(f'<text x="{x:.1f}" y="{y}" fill="{colour}" textLength="{COLUMN * columns(run):.1f}" xml:space="preserve">{html.escape(run)}</text>')

    for c in text:
        wide = columns(c) == 2
        if run and wide != (columns(run[-1]) == 2):
            flush(at)
            run = ""
        run += c
        at += columns(c)
    flush(at)
    return "".join(out)


def main():
    out, *paths = sys.argv[1:]
    rows = list(lines(paths))[:-1]
    width = 2 * MARGIN + COLUMN * max(columns(text) for text, _ in rows)
    height = 2 * MARGIN + LINE * len(rows)
    drawn = "\n".join(piece(text, n, COLOURS[name]) for n, (text, name) in enumerate(rows) if text)
    Path(out).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="{FONT}" font-size="14">\n<rect width="100%" height="100%" rx="8" fill="#1c222b"/>\n{drawn}\n</svg>\n')


if __name__ == "__main__":
    main()
