#!/usr/bin/env python3
"""Loitering alerts against known visits: how many there are and how many there should be, as JSON.

    loitering.py EVENTS GROUND_TRUTH CLIP RULE SECONDS

EVENTS: one JSON object a line, as `edge-agent replay --events` writes. GROUND_TRUTH: by clip,
`at_table_frames` (from 0) and `at_table_seconds` of each visit. RULE: the zone whose `loitering` is
SECONDS. An alert belongs to a visit if it comes between the visit's first frame plus SECONDS and its
last frame, with the truth's tolerance. Exits with 1 unless each long visit has exactly one alert and
there is no other.
"""

import json
import sys


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    events, truth, clip, rule, seconds = sys.argv[1:]
    with open(events, encoding="utf-8") as lines:
        found = [
            event["frame"]
            for event in map(json.loads, filter(str.strip, lines))
            if event["kind"] == "LoiteringDetector/ObjectIsLoitering" and event["rule"] == rule
        ]
    with open(truth, encoding="utf-8") as file:
        visits = json.load(file)[clip]
    slack, fps = visits["tolerance_frames"], visits["fps"]
    spans = zip(visits["at_table_frames"], visits["at_table_seconds"])
    wanted = [
        (first + 1 + float(seconds) * fps - slack, last + 1 + slack)
        for (first, last), stayed in spans
        if stayed >= float(seconds)
    ]
    counts = [sum(begin - slack <= frame <= end for frame in found) for begin, end in wanted]
    good = len(found) == len(wanted) and all(count == 1 for count in counts)
    print(json.dumps({"expected": len(wanted), "alerts": len(found), "by_visit": counts, "good": good}))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
