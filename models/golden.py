"""The golden picture: drawn from integers alone, here and in the agent alike, pixel for pixel.

Background, for channel c (0 red, 1 green, 2 blue): ((5x + 3y + 40c) mod 64) + 80. Over it, in the
card's order, filled ellipses [cx, cy, rx, ry, red, green, blue]: a pixel is inside when
(x-cx)^2 * ry^2 + (y-cy)^2 * rx^2 <= rx^2 * ry^2. A card holds some values of what the model answers
to it: [output, flat index, value].

Run as a script (by prepare.py, where numpy and onnxruntime are): reads {"card", "model"} on standard
input and fails, with the reason, unless the model answers as its card says. With --sample it prints
samples for a new card.
"""

import json
import sys


def picture(golden):
    import numpy as np

    y, x = np.mgrid[0 : golden["height"], 0 : golden["width"]].astype(np.int64)
    rgb = np.stack([((5 * x + 3 * y + 40 * c) % 64) + 80 for c in range(3)], axis=-1)
    for cx, cy, rx, ry, *colour in golden["ellipses"]:
        rgb[(x - cx) ** 2 * ry**2 + (y - cy) ** 2 * rx**2 <= rx**2 * ry**2] = colour
    return rgb.astype(np.uint8)


def answers(card, model):
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rgb = picture(card["golden"])
    ordered = rgb if card["input"]["colour"] == "rgb" else rgb[..., ::-1]
    tensor = np.ascontiguousarray(ordered.transpose(2, 0, 1)[None].astype(np.float32))
    names = [output["name"] for output in card["outputs"]]
    return session.run(names, {card["input"]["name"]: tensor})


def samples(card, model):
    """The largest value, and a few spread over the output, of each output."""
    import numpy as np

    found = []
    for index, output in enumerate(answers(card, model)):
        flat = output.ravel()
        picks = [int(np.argmax(flat)), int(np.argmin(flat))] + [int(i * len(flat) // 5 + i * 7) for i in range(1, 5)]
        if output.shape[-1] == 85:
            score = output[0, :, 4] * output[0, :, 5:].max(-1)
            picks += [int(row) * 85 + col for row in np.argsort(-score)[:2] for col in (0, 2, 4, 5 + int(output[0, row, 5:].argmax()))]
        found += [[index, at, round(float(flat[at]), 5)] for at in dict.fromkeys(picks)]
    return found


def main():
    request = json.load(sys.stdin)
    card = request["card"]
    if "--sample" in sys.argv:
        print(json.dumps(samples(card, request["model"])))
        return
    golden = card["golden"]
    got = answers(card, request["model"])
    for output, index, value in golden["samples"]:
        flat = got[output].ravel()
        if index >= len(flat) or not abs(float(flat[index]) - value) <= golden["tolerance"]:
            sys.exit(f"output {output}, value {index}: expected {value}, got {flat[index] if index < len(flat) else 'nothing'}")


if __name__ == "__main__":
    main()
