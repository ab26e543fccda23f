"""Masks of classes, and their boundary IoU by OpenCV's erosion.

    python tests/inputs/boundaries.py

Writes boundaries.json beside itself. Needs opencv-python-headless and numpy; made with OpenCV 5.0.

Cheng et al., Boundary IoU (CVPR 2021): of a class and its prediction only the pixels count that an erosion by
squares of 3 x 3 takes away, as many times as a share of the image's diagonal is long. What lies beyond the
image is outside. Pixels whose truth is void are left out; of a corpus, intersections and unions are summed.
"""

import json
import os

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES, VOID = 4, 9


def eroded(mask, times):
    around = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(around, np.ones((3, 3), np.uint8), iterations=times)[1:-1, 1:-1].astype(bool)


def counts(truth, predicted, share):
    """Intersection and union of every class."""
    times = max(1, int(round(share * np.hypot(*truth.shape))))
    found = []
    for label in range(CLASSES):
        edges = [(mask == label) & ~eroded(mask == label, times) for mask in (truth, predicted)]
        one, other = (edge & (truth != VOID) for edge in edges)
        found.append([int((one & other).sum()), int((one | other).sum())])
    return np.array(found)


def ious(pairs):
    return [None if union == 0 else right / union for right, union in pairs.tolist()]


def masks(noise, number):
    """Ellipses over one another; the prediction has each of them moved a little."""
    height, width = [(24, 36), (30, 30), (7, 60), (25, 18)][number % 4]
    truth, predicted = np.zeros((2, height, width), np.uint8)
    for _ in range(5):
        label = int(noise.choice([1, 2, VOID], p=[0.5, 0.4, 0.1]))
        x, y = int(noise.integers(0, width)), int(noise.integers(0, height))
        a, b = int(noise.integers(2, 10)), int(noise.integers(2, 10))
        cv2.ellipse(truth, (x, y), (a, b), 0, 0, 360, label, -1)
        moved = (x + int(noise.integers(-2, 3)), y + int(noise.integers(-2, 3)))
        cv2.ellipse(predicted, moved, (a, b), 0, 0, 360, label, -1)
    return truth, predicted


def main():
    noise = np.random.default_rng(29)
    pairs = [masks(noise, number) for number in range(6)]
    document = {"images": [], "shares": []}
    for truth, predicted in pairs:
        rows = lambda mask: ["".join(map(str, row)) for row in mask.tolist()]
        document["images"].append({"truth": rows(truth), "predicted": rows(predicted)})
    for share in [0.02, 0.06]:
        all_counts = [counts(truth, predicted, share) for truth, predicted in pairs]
        whole = {"share": share, "iou": [ious(one) for one in all_counts], "all": ious(sum(all_counts))}
        document["shares"].append(whole)
    with open(os.path.join(HERE, "boundaries.json"), "w") as file:
        json.dump(document, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
