#!/usr/bin/env python3
"""Tracks against ground truth, by py-motmetrics: MOTA, IDF1 and what they are made of, as JSON.

    mot.py TRACKS GROUND_TRUTH [--iou 0.5] [--from FRAME] [--to FRAME]

Both files have MOTChallenge lines: frame,id,left,top,width,height,... with frames counted from 1.
Every box of the ground truth counts. Requirements: requirements.txt.
"""

import argparse
import json
import sys

import motmetrics
import numpy


def read(path):
    """{frame: (ids, boxes as rows of left, top, width, height)}"""
    frames = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                frame, track, *box = [float(field) for field in line.split(",")[:6]]
            except ValueError:
                sys.exit(f"{path}:{number}: no MOTChallenge line: {line.strip()!r}")
            ids, boxes = frames.setdefault(int(frame), ([], []))
            ids.append(int(track))
            boxes.append(box)
    return frames


def measure(tracks, truth, least_iou=0.5, first=None, last=None):
    frames = [
        frame
        for frame in sorted(truth.keys() | tracks.keys())
        if (first is None or frame >= first) and (last is None or frame <= last)
    ]
    accumulator = motmetrics.MOTAccumulator(auto_id=False)
    nothing = ([], numpy.empty((0, 4)))
    for frame in frames:
        true_ids, true_boxes = truth.get(frame, nothing)
        ids, boxes = tracks.get(frame, nothing)
        distances = motmetrics.distances.iou_matrix(
            numpy.asarray(true_boxes), numpy.asarray(boxes), max_iou=1 - least_iou
        )
        accumulator.update(true_ids, ids, distances, frameid=frame)
    names = {
        "mota": "mota",
        "idf1": "idf1",
        "motp": "motp",
        "false_positives": "num_false_positives",
        "misses": "num_misses",
        "switches": "num_switches",
        "fragmentations": "num_fragmentations",
        "mostly_tracked": "mostly_tracked",
        "truth_boxes": "num_objects",
        "truth_ids": "num_unique_objects",
    }
    row = motmetrics.metrics.create().compute(accumulator, metrics=list(names.values())).iloc[0]
    figures = {name: float(row[metric]) for name, metric in names.items()}
    shares = {name: round(value, 4) for name, value in figures.items() if name in ("mota", "idf1", "motp")}
    return {**{name: int(value) for name, value in figures.items()}, **shares}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracks")
    parser.add_argument("truth")
    parser.add_argument("--iou", type=float, default=0.5, help="least overlap of a match (default 0.5)")
    parser.add_argument("--from", dest="first", type=int, help="first frame that counts")
    parser.add_argument("--to", dest="last", type=int, help="last frame that counts")
    arguments = parser.parse_args()
    figures = measure(
        read(arguments.tracks), read(arguments.truth), arguments.iou, arguments.first, arguments.last
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
