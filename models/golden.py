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
    """Values that any change of the model shows in: of every channel or column, the extremes in each
    of three stretches (for label scores, the largest of all)."""
    import numpy as np

    found = []
    for index, output in enumerate(answers(card, model)):
        places = np.arange(output.size).reshape(output.shape)[0]
        channels = places.T if places.ndim == 2 else places.reshape(places.shape[0], -1)
        flat, picks = output.ravel(), []
        for number, channel in enumerate(channels):
            if places.ndim == 2 and number >= 5:
                picks.append(int(channel[flat[channel].argmax()]))
                continue
            for part in np.array_split(channel, 3):
                picks += [int(part[flat[part].argmax()]), int(part[flat[part].argmin()])]
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
