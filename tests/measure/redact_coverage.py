#!/usr/bin/env python3
"""Coverage of hand-drawn faces by the masks of `edge-agent redact`.

    redact_coverage.py EDGE_AGENT DATA [--cards FOLDER]

DATA holds faces/dlib. A face is covered when at least nine tenths of its box lie under masks (the
union, by pixels). No mask of source "face" may lie on dogs.jpg. Standard library only. Prints one
JSON object; exit code 1 when a bar is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path


def boxes(folder):
    """The hand-drawn boxes by picture, each once."""
    found = {}
    for name in ("training.xml", "testing.xml"):
        for image in ET.parse(folder / name).getroot().iter("image"):
            found.setdefault(image.get("file"), set()).update(
                tuple(int(box.get(key)) for key in ("left", "top", "width", "height")) for box in image.iter("box"))
    return found


def covered(box, masks, width, height):
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[0] + box[2], width), min(box[1] + box[3], height)
    under = sum(any(m["left"] <= x < m["left"] + m["width"] and m["top"] <= y < m["top"] + m["height"] for m in masks)
                for y in range(top, bottom) for x in range(left, right))
    return under / max((right - left) * (bottom - top), 1)


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("binary")
    words.add_argument("data", type=Path)
    words.add_argument("--cards")
    args = words.parse_args()
    folder = args.data / "faces" / "dlib"
    drawn = boxes(folder)
    pictures = sorted(folder.glob("*.jpg"))
    with tempfile.TemporaryDirectory() as scratch:
        masks = Path(scratch) / "masks.json"
        command = [args.binary, "redact", *map(str, pictures), "--out", scratch, "--masks", str(masks)]
        subprocess.run(command + (["--models", args.cards] if args.cards else []), check=True)
        said = {Path(i["file"]).name: i for i in json.loads(masks.read_text())["images"]}
    faces, shares, by_face, missed, area, total = 0, [], 0, [], 0, 0
    for name, expected in sorted(drawn.items()):
        image = said[name]
        for box in sorted(expected):
            faces += 1
            shares.append(covered(box, image["masks"], image["width"], image["height"]))
            only = [m for m in image["masks"] if m["source"] == "face"]
            by_face += covered(box, only, image["width"], image["height"]) >= 0.9
            if shares[-1] < 0.9:
                missed.append({"file": name, "box": box, "coverage": round(shares[-1], 3)})
    for image in said.values():
        whole = (0, 0, image["width"], image["height"])
        area += covered(whole, image["masks"], image["width"], image["height"]) * whole[2] * whole[3]
        total += whole[2] * whole[3]
    dogs = sum(m["source"] == "face" for m in said["dogs.jpg"]["masks"])
    figures = {
        "faces": faces, "covered": faces - len(missed), "covered_by_found_faces_alone": by_face,
        "least_coverage": round(min(shares), 3), "faces_on_dogs": dogs,
        "covered_share_of_all_pixels": round(area / total, 3), "missed": missed,
        "pass": faces == 43 and not missed and dogs == 0,
    }
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


if __name__ == "__main__":
    sys.exit(main())
