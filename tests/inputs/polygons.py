"""Random polygons, and the run lengths that pycocotools draws of them.

    python tests/inputs/polygons.py

Writes polygons.json beside itself. Needs pycocotools and numpy; made with pycocotools 2.0.11 and
NumPy 2.4.6. Of several polygons the runs are those of their union, as `COCO.annToRLE` makes it.
"""

import json
import os

import numpy as np
from pycocotools import mask

HERE = os.path.dirname(os.path.abspath(__file__))


def runs(encoded):
    """The run lengths of COCO's compressed text, outside first."""
    text, counts, at = encoded["counts"], [], 0
    while at < len(text):
        number, shift, more = 0, 0, True
        while more:
            code = text[at] - 48
            number |= (code & 0x1F) << (5 * shift)
            more = bool(code & 0x20)
            at, shift = at + 1, shift + 1
            if not more and code & 0x10:
                number |= -1 << (5 * shift)
        if len(counts) > 2:
            number += counts[-2]
        counts.append(number)
    return counts


def star(noise, height, width):
    """Points round a centre, near each other or far, in order or not."""
    count = int(noise.integers(3, 14))
    turn = np.sort(noise.uniform(0, 2 * np.pi, count))
    away = noise.uniform(0.1, 1.2, count) * noise.uniform(1, max(height, width))
    centre = noise.uniform([-0.3 * width, -0.3 * height], [1.3 * width, 1.3 * height])
    points = centre + np.column_stack([np.cos(turn), np.sin(turn)]) * away[:, None]
    if noise.random() < 0.25:
        noise.shuffle(points)
    return points


def polygon(noise, height, width):
    kind = noise.integers(0, 6)
    if kind == 0:  # a box of whole or half pixels
        x, y = noise.integers(-4, 2 * width, 2) / 2, noise.integers(-4, 2 * height, 2) / 2
        points = np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]])
    elif kind == 1:  # anything, on the grid that COCO draws on
        points = noise.integers(-20, 5 * max(height, width) + 20, (int(noise.integers(3, 9)), 2)) / 5
    else:
        points = np.round(star(noise, height, width), int(noise.integers(0, 4)))
    if noise.random() < 0.3:  # closed by its first point
        points = np.vstack([points, points[:1]])
    if noise.random() < 0.2:  # a point twice
        points = np.insert(points, 1, points[1], axis=0)
    return [float(value) for value in points.ravel()]


def main():
    noise = np.random.default_rng(2024)
    cases = []
    for _ in range(400):
        height, width = (int(side) for side in noise.integers(1, 40, 2))
        if noise.random() < 0.1:
            height, width = (int(side) for side in noise.integers(200, 640, 2))
        polygons = [polygon(noise, height, width) for _ in range(int(noise.choice([1, 1, 1, 2, 3])))]
        drawn = mask.merge(mask.frPyObjects(polygons, height, width))
        cases.append(
            {"height": height, "width": width, "polygons": polygons, "counts": runs(drawn)}
        )
    with open(os.path.join(HERE, "polygons.json"), "w") as file:
        file.write(json.dumps(cases, separators=(",", ":")) + "\n")
    drawn = sum(len(case["counts"]) > 1 for case in cases)
    print(len(cases), "cases,", drawn, "with pixels,", max(len(c["counts"]) for c in cases), "runs at most")


if __name__ == "__main__":
    main()
