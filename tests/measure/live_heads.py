#!/usr/bin/env python3
"""Coverage of the heads of everybody in a clip by what live video covers, frame by frame.

    live_heads.py EDGE_AGENT LIVE_MASKS CLIP GROUND_TRUTH [--every 1 2] [--fps 10]

EDGE_AGENT finds the persons, as analysis does; LIVE_MASKS is edge-core's example `live_masks`. GROUND_TRUTH has
MOTChallenge lines (frame from 1, id, left, top, width, height). Of every person in every frame that is shown the upper
fifth of the box counts: covered when .9 of it are. `--every`: every so many-th frame is analysed. Needs GStreamer and
the standard library. Prints one JSON object; exit code 1 below 95 % of the heads or above 12 % of the picture.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from heads import pictures, rows, share

TOP = 0.2
LEAST, MOST_AREA = 0.95, 0.12
CONFIDENCE = "0.1"
OVERLAP = "0.45"


def truth(path):
    """{frame: [box]} of the upper fifths, frames from 1."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip():
            frame, _, left, top, width, height = [float(field) for field in line.split(",")[:6]]
            found.setdefault(int(frame), []).append((left, top, left + width - 1, top + TOP * height - 1))
    return found


def detections(binary, clip, folder):
    """Persons in every frame, as a file of MOTChallenge lines; and the picture's size."""
    pictures(clip, folder)
    files = [str(p) for p in sorted(folder.glob("*.png"))]
    command = [binary, "detect", *files, "--json", "--confidence", CONFIDENCE, "--nms-iou", OVERLAP]
    images = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["images"]
    lines = [
        f"{number},-1,{d['left']},{d['top']},{d['width']},{d['height']}"
        for number, image in enumerate(images, 1) for d in image["detections"] if d["class"] == "Human"
    ]
    out = folder / "persons.txt"
    out.write_text("\n".join(lines) + "\n")
    return out, images[0]["width"], images[0]["height"]


def masks(said):
    """{frame: [mask]} of frames that are shown, and how many are not."""
    shown, dropped = {}, 0
    for line in said.splitlines():
        frame, *rest = line.split(",")
        if rest == ["shown"]:
            shown[int(frame)] = []
        elif rest == ["dropped"]:
            dropped += 1
        else:
            shown[int(frame)].append(dict(zip(("left", "top", "width", "height"), map(int, rest))))
    return shown, dropped


def figures(shown, dropped, heads, width, height):
    shares, area = [], 0.0
    for frame, of_frame in shown.items():
        covered = rows(of_frame, width, height)
        area += sum(map(sum, covered)) / (width * height)
        parts = [share(covered, box, width, height) for box in heads.get(frame, [])]
        shares += [part for part in parts if part is not None]
    return {
        "frames_shown": len(shown), "frames_dropped": dropped, "heads": len(shares),
        "covered_9_tenths_share": round(sum(s >= 0.9 for s in shares) / max(len(shares), 1), 4),
        "covered_less_than_2_tenths": sum(s < 0.2 for s in shares),
        "covered_share_of_all_pixels": round(area / max(len(shown), 1), 4),
    }


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("agent")
    words.add_argument("live_masks")
    words.add_argument("clip", type=Path)
    words.add_argument("truth", type=Path)
    words.add_argument("--every", type=int, nargs="+", default=[1, 2])
    words.add_argument("--fps", default="10")
    args = words.parse_args()
    heads, said = truth(args.truth), {}
    with tempfile.TemporaryDirectory() as scratch:
        persons, width, height = detections(args.agent, args.clip, Path(scratch))
        for every in args.every:
            command = [args.live_masks, str(persons), f"{width}x{height}", args.fps, str(every)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            said[f"every_{every}"] = figures(*masks(out), heads, width, height)
    print(json.dumps(said))
    good = [f["heads"] and f["covered_9_tenths_share"] >= LEAST and f["covered_share_of_all_pixels"] <= MOST_AREA
            for f in said.values()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
