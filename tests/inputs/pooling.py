"""Feature maps, boxes and masks, and the means that numpy has over them.

    python tests/inputs/pooling.py

Writes pooling.json beside itself. Needs numpy. The map is first repeated to a fine grid on which every
edge of a box lies between two points, so that a mean over a box is a mean over points.
"""

import json
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FINE = 4  # points to a pixel; boxes lie on quarters of one
HEIGHT, WIDTH, CHANNELS, ROWS, COLUMNS = 12, 20, 3, 3, 4


def of_masks(activations, masks):
    """The map at every pixel, then the mean over the pixels of a mask."""
    pixels = activations.repeat(HEIGHT // ROWS, axis=1).repeat(WIDTH // COLUMNS, axis=2)
    return [[float(channel[mask].mean()) for channel in pixels] for mask in masks]


def of_boxes(activations, boxes):
    points = activations.repeat(FINE * HEIGHT // ROWS, axis=1).repeat(FINE * WIDTH // COLUMNS, axis=2)
    found = []
    for box in boxes:
        left, top, right, bottom = (round(edge * FINE) for edge in box)
        inside = points[:, max(top, 0) : bottom, max(left, 0) : right]
        found.append([float(channel.mean()) for channel in inside])
    return found


def main():
    noise = np.random.default_rng(17)
    images = []
    for number in range(6):
        activations = noise.normal(size=(CHANNELS, ROWS, COLUMNS)).astype(np.float32)
        count = [3, 0, 1, 5, 2, 4][number]
        start = noise.integers(-2 * FINE, 10 * FINE, size=(count, 2))
        size = noise.integers(3 * FINE, 14 * FINE, size=(count, 2))
        boxes = np.concatenate([start, start + size], axis=1) / FINE
        masks = noise.random((count, HEIGHT, WIDTH)) < 0.3
        images.append(
            {
                "map": activations.astype(float).tolist(),
                "boxes": boxes.tolist(),
                "masks": masks.astype(int).tolist(),
                "of_boxes": of_boxes(activations.astype(np.float64), boxes),
                "of_masks": of_masks(activations.astype(np.float64), masks),
            }
        )
    with open(os.path.join(HERE, "pooling.json"), "w") as file:
        json.dump({"height": HEIGHT, "width": WIDTH, "images": images}, file)
        file.write("\n")


if __name__ == "__main__":
    main()
