#!/usr/bin/env python3
"""Line crossings against ground truth: precision, recall and F1 of each line, as JSON.

    crossings.py EVENTS GROUND_TRUTH [--within 10] [--no-direction]

EVENTS: one JSON object a line, as `edge-agent replay --events` writes, of which
`LineDetector/Crossed` counts. GROUND_TRUTH: `lines` by name, each with `events` of `frame` and
`to_side`; the part of a name before the first `_` is the rule's name. A crossing is found if an event
of its rule, in its direction, lies within so many frames; each event finds one crossing at most.
`pos` (cross product (b-a) x (p-a) > 0 in pixels, y downwards) is the right-hand side.
Requirements: requirements.txt.
"""

import argparse
import json

import numpy
from scipy.optimize import linear_sum_assignment

DIRECTION = {"pos": "right", "neg": "left"}


def pairs(found, truth, within):
    """How many of both belong together: the most, and of those the nearest."""
    if not found or not truth:
        return 0
    far = 1000.0 * within + 1000.0
    cost = numpy.full((len(found), len(truth)), far)
    for i, (frame, direction) in enumerate(found):
        for j, (true_frame, true_direction) in enumerate(truth):
            if direction == true_direction and abs(frame - true_frame) <= within:
                cost[i, j] = abs(frame - true_frame)
    rows, columns = linear_sum_assignment(cost)
    return int((cost[rows, columns] < far).sum())


def score(found, truth, within):
    both = pairs(found, truth, within)
    precision = both / len(found) if found else 0.0
    recall = both / len(truth) if truth else 0.0
    f1 = 2 * both / (len(found) + len(truth)) if found or truth else 1.0
    return {
        "truth": len(truth),
        "events": len(found),
        "matched": both,
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(f1, 4),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events")
    parser.add_argument("truth")
    parser.add_argument("--within", type=int, default=10, help="frames (default 10)")
    parser.add_argument("--no-direction", action="store_true", help="any direction matches")
    arguments = parser.parse_args()
    with open(arguments.events, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines if line.strip()]
    with open(arguments.truth, encoding="utf-8") as file:
        truth = json.load(file)["lines"]
    direction = (lambda _: None) if arguments.no_direction else (lambda word: word)
    scores = {}
    for name, line in truth.items():
        rule = name.split("_")[0]
        found = [
            (event["frame"], direction(event["direction"]))
            for event in events
            if event["kind"] == "LineDetector/Crossed" and event["rule"] == rule
        ]
        wanted = [(event["frame"], direction(DIRECTION[event["to_side"]])) for event in line["events"]]
        scores[rule] = score(found, wanted, arguments.within)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
