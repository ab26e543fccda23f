"""Random pairs of rotated boxes and the IoU that shapely finds for them.

    python tests/inputs/oriented.py

Writes oriented.json beside itself. Needs shapely and numpy; made with shapely 2.2.0. A box is cx, cy,
width, height and degrees, clockwise in an image whose y points down.
"""

import json
import os

import numpy as np
from shapely import affinity
from shapely.geometry import box

HERE = os.path.dirname(os.path.abspath(__file__))


def polygon(cx, cy, width, height, degrees):
    flat = box(cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
    # With y pointing down, shapely's counter-clockwise turn is seen as a clockwise one.
    return affinity.rotate(flat, degrees, origin=(cx, cy))


def pairs(noise):
    for number in range(200):
        first = [*noise.uniform(-50, 50, size=2), *np.exp(noise.uniform(-1, 4, size=2))]
        first.append(noise.uniform(-360, 360))
        kind = number % 8
        if kind < 4:  # anywhere near
            second = list(first + noise.normal(0, 1, size=5) * [*first[2:4], 0, 0, 90])
            second[2:4] = np.exp(noise.uniform(-1, 4, size=2))
        elif kind == 4:  # nearly the same
            second = list(first + noise.normal(0, 1e-3, size=5))
            second[2:4] = np.abs(second[2:4])
        elif kind == 5:  # the same box, told otherwise
            second = [*first[:2], first[3], first[2], first[4] + 90]
        elif kind == 6:  # one inside the other
            second = [*first[:2], first[2] / 2, first[3] / 3, first[4]]
        else:  # parallel sides that touch or overlap
            first = [float(round(value)) for value in first[:2]] + [6.0, 4.0, 0.0]
            second = [first[0] + float(noise.integers(0, 8)), first[1], 4.0, 4.0, 90.0]
        yield [float(value) for value in first], [float(value) for value in second]


def main():
    rows = []
    for first, second in pairs(np.random.default_rng(7)):
        a, b = polygon(*first), polygon(*second)
        both = a.intersection(b).area
        rows.append({"a": first, "b": second, "iou": both / (a.area + b.area - both), "in": both / a.area})
    with open(os.path.join(HERE, "oriented.json"), "w") as file:
        file.write(json.dumps(rows, separators=(",", ":")) + "\n")
    ious = np.array([row["iou"] for row in rows])
    print(len(rows), "pairs;", (ious == 0).sum(), "apart;", (ious > 0.99).sum(), "equal")


if __name__ == "__main__":
    main()
