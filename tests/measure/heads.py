#!/usr/bin/env python3
"""Coverage of the heads of everybody in a clip by the masks of `edge-agent redact`.

    heads.py EDGE_AGENT CLIP GROUND_TRUTH [--every 20] [--cards FOLDER] [--keep FOLDER]

GROUND_TRUTH has MOTChallenge lines (frame from 1, id, left, top, width, height). A head is the upper
14 % of a box, of its width the middle half. Every so many-th frame is taken, from the first on. Needs
GStreamer (gst-launch-1.0) and the standard library. Prints one JSON object; exit code 1 when a head is
covered by less than a fifth. `--keep` leaves the covered pictures there, to be looked at.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HEAD = 0.14


def truth(path, every):
    """{frame: [(id, left, top, right, bottom)]} of heads, frames from 0."""
    heads = {}
    for line in path.read_text().splitlines():
        if not line.strip():
            continue
        frame, person, left, top, width, height = [float(field) for field in line.split(",")[:6]]
        if (frame - 1) % every == 0:
            head = (int(person), left + width / 4, top, left + width * 3 / 4, top + HEAD * height)
            heads.setdefault(int(frame) - 1, []).append(head)
    return heads


def pictures(clip, folder):
    """Every frame as a PNG file, named by its number from 0."""
    subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={clip}", "!", "parsebin", "!", "decodebin", "!",
         "videoconvert", "!", "pngenc", "compression-level=1", "!", "multifilesink", f"location={folder}/%06d.png"],
        check=True, stdout=subprocess.DEVNULL)


def rows(masks, width, height):
    """Which pixels are covered."""
    covered = [bytearray(width) for _ in range(height)]
    for m in masks:
        line = b"\1" * m["width"]
        for row in covered[m["top"]:m["top"] + m["height"]]:
            row[m["left"]:m["left"] + m["width"]] = line
    return covered


def share(covered, box, width, height):
    """The share of a box that is covered, of what lies in the picture; None when nothing does."""
    left, top = max(int(box[0]), 0), max(int(box[1]), 0)
    right, bottom = min(int(box[2]) + 1, width), min(int(box[3]) + 1, height)
    if right <= left or bottom <= top:
        return None
    return sum(sum(row[left:right]) for row in covered[top:bottom]) / ((right - left) * (bottom - top))


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("binary")
    words.add_argument("clip", type=Path)
    words.add_argument("truth", type=Path)
    words.add_argument("--every", type=int, default=20)
    words.add_argument("--cards")
    words.add_argument("--keep", type=Path)
    args = words.parse_args()
    heads = truth(args.truth, args.every)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        pictures(args.clip, scratch)
        chosen = [str(p) for p in sorted(scratch.glob("*.png")) if int(p.stem) % args.every == 0]
        out, masks = args.keep or scratch / "out", scratch / "masks.json"
        command = [args.binary, "redact", *chosen, "--out", str(out), "--masks", str(masks)]
        subprocess.run(command + (["--models", args.cards] if args.cards else []), check=True)
        said = {int(Path(i["file"]).stem): i for i in json.loads(masks.read_text())["images"]}
    shares, open_heads, area = [], [], 0.0
    for frame, image in sorted(said.items()):
        width, height = image["width"], image["height"]
        covered = rows(image["masks"], width, height)
        area += sum(map(sum, covered)) / (width * height)
        for person, *box in heads.get(frame, []):
            of = share(covered, box, width, height)
            if of is None:
                continue
            shares.append(of)
            if of < 0.9:
                open_heads.append({"frame": frame + 1, "id": person, "covered": round(of, 2)})
    figures = {
        "frames": len(said), "heads": len(shares),
        "covered_9_tenths": sum(s >= 0.9 for s in shares),
        "covered_2_to_8_tenths": sum(0.2 <= s < 0.8 for s in shares),
        "uncovered": sum(s < 0.2 for s in shares),
        "covered_share_of_all_pixels": round(area / max(len(said), 1), 4),
        "not_whole": open_heads,
    }
    print(json.dumps(figures))
    return 0 if shares and not figures["uncovered"] else 1


if __name__ == "__main__":
    sys.exit(main())
