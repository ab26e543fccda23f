"""Four corners as people draw them, and the smallest rectangles around them.

    python tests/inputs/corners.py

Writes corners.json beside itself. Needs numpy, shapely and opencv-python; made with NumPy 2.4.6,
Shapely 2.2.0 and OpenCV 5.0.0. Shapely's corners are those of its minimum_rotated_rectangle; OpenCV's
minAreaRect, which Ultralytics uses, computes with 32 bits and gives its area.
"""

import json
import os

import cv2
import numpy as np
from shapely.geometry import MultiPoint

HERE = os.path.dirname(os.path.abspath(__file__))


def drawn(noise):
    """A rotated rectangle whose corners were set by hand, or any four points."""
    if noise.random() < 0.25:
        return np.round(noise.uniform(0, 400, (4, 2)), 1)
    half = noise.uniform(5, 120, 2) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    turn = noise.uniform(-np.pi, np.pi)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.round(half @ axes + noise.uniform(100, 300, 2) + noise.normal(0, 4, (4, 2)), 1)


def main():
    noise = np.random.default_rng(11)
    given = [np.array([[100, 100], [300, 110], [298, 190], [101, 180]], dtype=float)]
    given += [drawn(noise) for _ in range(60)]
    made = []
    for corners in given:
        found = MultiPoint(corners).minimum_rotated_rectangle
        _, (width, height), _ = cv2.minAreaRect(corners.astype(np.float32))
        made.append({
            "corners": corners.tolist(),
            "rectangle": [list(corner) for corner in found.exterior.coords][:4],
            "opencv_area": width * height,
        })
    with open(os.path.join(HERE, "corners.json"), "w") as out:
        json.dump(made, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
