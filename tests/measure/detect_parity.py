#!/usr/bin/env python3
"""Detector parity: `edge-agent detect` against a reference of its own (onnxruntime and cv2).

    detect_parity.py EDGE_AGENT DATA [--cards FOLDER] [--model FILE]

DATA holds coco128. The pictures are written as PNG once, so that both sides get the same pixels.
Prints one JSON object: the share of reference boxes with a partner within 1 pixel (each edge) and
0.01 of score, and AP (.5:.95, 101 points) by RGB, by I420 and of the reference. Exit code 1 when a
bar is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

SIDE, CONFIDENCE, NMS_IOU = 416, 0.01, 0.65


def reference(session, bgr):
    """(label, score, left, top, right, bottom) of a picture, by the published recipe."""
    height, width = bgr.shape[:2]
    ratio = min(SIDE / width, SIDE / height)
    inner = cv2.resize(bgr, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((SIDE, SIDE, 3), 114, np.uint8)
    canvas[: inner.shape[0], : inner.shape[1]] = inner
    out = session.run(None, {"images": canvas.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    cells, strides = [], []
    for stride in (8, 16, 32):
        n = SIDE // stride
        y, x = np.mgrid[:n, :n]
        cells.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full((n * n, 1), stride))
    cells, strides = np.concatenate(cells), np.concatenate(strides)
    centre, size = (out[:, :2] + cells) * strides, np.exp(out[:, 2:4]) * strides
    boxes = np.concatenate([centre - size / 2, centre + size / 2], 1) / ratio
    boxes = np.clip(boxes, 0, [width, height, width, height])
    label = out[:, 5:].argmax(1)
    score = out[:, 4] * out[np.arange(len(out)), 5 + label]
    keep = (score >= CONFIDENCE) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return suppress(label[keep], score[keep], boxes[keep])


def iou(box, others):
    both = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None).prod(1)
    area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])  # noqa: E731
    return both / np.maximum(area(box) + area(others) - both, 1e-9)


def suppress(label, score, boxes):
    kept = []
    for index in np.argsort(-score, kind="stable"):
        rivals = [k for k in kept if label[k] == label[index]]
        if not rivals or iou(boxes[index], boxes[rivals]).max() <= NMS_IOU:
            kept.append(index)
    return [(int(label[k]), float(score[k]), *map(float, boxes[k])) for k in kept]


def agent(binary, pictures, cards, labels, via):
    command = [binary, "detect", *map(str, pictures), "--model", "yolox-nano", "--json", "--via", via,
               "--confidence", str(CONFIDENCE), "--nms-iou", str(NMS_IOU)] + (["--models", cards] if cards else [])
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [[(labels.index(d["label"]), d["confidence"], d["left"], d["top"], d["left"] + d["width"],
              d["top"] + d["height"]) for d in image["detections"]] for image in said["images"]]


def partners(expected, found):
    """How many expected boxes have a partner of their own that is the same."""
    free, same = list(found), 0
    for box in expected:
        for other in free:
            if other[0] == box[0] and abs(other[1] - box[1]) <= 0.01 and np.abs(np.subtract(other[2:], box[2:])).max() <= 1:
                free.remove(other)
                same += 1
                break
    return same


def average_precision(truth, found):
    """Mean over labels and IoU .5:.05:.95 of the 101-point precision. `truth`: (label, box, crowd)."""
    values = []
    for label in sorted({t[0] for image in truth for t in image if not t[2]}):
        total = sum(t[0] == label and not t[2] for image in truth for t in image)
        ranked = sorted(((d[1], i, d[2:]) for i, image in enumerate(found) for d in image if d[0] == label),
                        key=lambda d: -d[0])
        for threshold in np.arange(0.5, 0.96, 0.05):
            taken, hits = set(), []
            for _, i, box in ranked:
                options = [(iou(np.array(box), np.array([t[1]]))[0], n) for n, t in enumerate(truth[i])
                           if t[0] == label and not t[2] and (i, n) not in taken]
                best = max(options, default=(0, -1))
                if best[0] >= threshold:
                    taken.add((i, best[1]))
                    hits.append(1)
                elif not any(t[2] and t[0] == label and iou(np.array(box), np.array([t[1]]))[0] > 0 for t in truth[i]):
                    hits.append(0)
            got = np.cumsum(hits) if hits else np.zeros(0)
            precision, recall = got / np.arange(1, len(got) + 1), got / total
            precision = np.maximum.accumulate(precision[::-1])[::-1]
            at = np.searchsorted(recall, np.linspace(0, 1, 101))
            values.append(np.mean([precision[k] if k < len(precision) else 0.0 for k in at]))
    return float(np.mean(values))


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("binary")
    words.add_argument("data", type=Path)
    words.add_argument("--cards")
    cache = os.environ.get("SIGNALBOX_CACHE") or (os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")) + "/signalbox"
    words.add_argument("--model", default=f"{cache}/models/yolox-nano.onnx")
    args = words.parse_args()

    coco = json.loads(next(args.data.glob("coco128/instances*.json")).read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    labels = [names[key] for key in sorted(names)]
    assert len(labels) == 80, len(labels)
    session = ort.InferenceSession(args.model, providers=["CPUExecutionProvider"])
    truth, expected, pictures = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for image in sorted(coco["images"], key=lambda i: i["file_name"]):
            source = next(args.data.glob(f"coco128/images/**/{Path(image['file_name']).name}"))
            bgr = cv2.imread(str(source), cv2.IMREAD_COLOR)
            pictures.append(Path(scratch) / f"{source.stem}.png")
            cv2.imwrite(str(pictures[-1]), bgr)
            expected.append(reference(session, bgr))
            mine = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
            truth.append([(labels.index(names[a["category_id"]]), (a["bbox"][0], a["bbox"][1], a["bbox"][0] + a["bbox"][2],
                          a["bbox"][1] + a["bbox"][3]), a.get("iscrowd", 0)) for a in mine])
        rgb = agent(args.binary, pictures, args.cards, labels, "rgb")
        i420 = agent(args.binary, pictures, args.cards, labels, "i420")
    boxes = sum(map(len, expected))
    same = sum(partners(e, f) for e, f in zip(expected, rgb))
    figures = {
        "images": len(pictures), "reference_boxes": boxes, "agent_boxes": sum(map(len, rgb)),
        "same_share": round(same / boxes, 5),
        "same_share_i420": round(sum(partners(e, f) for e, f in zip(expected, i420)) / boxes, 5),
        "ap_reference": round(average_precision(truth, expected), 5),
        "ap_rgb": round(average_precision(truth, rgb), 5),
        "ap_i420": round(average_precision(truth, i420), 5),
    }
    figures["pass"] = figures["same_share"] >= 0.99 and abs(figures["ap_i420"] - figures["ap_reference"]) <= 0.01
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


if __name__ == "__main__":
    sys.exit(main())
