"""Random masks and images, and what scikit-learn and OpenCV say of them.

    python tests/inputs/segmentation.py

Writes segmentation.json beside itself. Needs scikit-learn, opencv-python-headless and numpy; made with
scikit-learn 1.9.1 and OpenCV 5.0.
"""

import json
import os

import cv2
import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES, VOID = 5, 255


def masks(noise):
    """Truth and prediction; class 3 is never there, class 4 neither there nor predicted."""
    for number in range(8):
        truth = noise.choice([0, 1, 2, VOID], size=(5, 7), p=[0.5, 0.25, 0.15, 0.1])
        predicted = np.where(noise.random((5, 7)) < 0.7, truth, noise.integers(0, 4, size=(5, 7)))
        if number == 6:
            truth[:] = VOID
        if number == 7:
            truth[:], predicted[:] = 0, 0
        yield truth, predicted


def known(values):
    return [None if np.isnan(value) else float(value) for value in values]


def numbers(truth, predicted):
    """IoU by class, mean IoU, accuracy; pixels with a void truth are left out."""
    keep = truth != VOID
    truth, predicted = truth[keep], predicted[keep]
    if truth.size == 0:
        return {"iou": [None] * CLASSES, "mean_iou": None, "accuracy": None}
    labels = range(CLASSES)
    iou = jaccard_score(truth, predicted, labels=labels, average=None, zero_division=0)
    iou[~np.isin(labels, [*truth, *predicted])] = np.nan
    return {
        "iou": known(iou),
        "mean_iou": float(np.nanmean(iou)),
        "accuracy": float(accuracy_score(truth, predicted)),
    }


def statistics(pixels):
    if pixels.shape[2] == 3:
        grey = cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_RGB2GRAY).astype(np.float64)
    else:
        grey = pixels[:, :, 0].astype(np.float64)
    sharpness = cv2.Laplacian(grey, cv2.CV_64F).var()
    return [float(grey.mean()), float(grey.std()), float(sharpness)]


def main():
    noise = np.random.default_rng(11)
    images, truths, predictions = [], [], []
    for truth, predicted in masks(noise):
        images.append({"truth": truth.tolist(), "predicted": predicted.tolist()})
        images[-1] |= numbers(truth, predicted)
        truths.append(truth.ravel()), predictions.append(predicted.ravel())
    truth, predicted = np.concatenate(truths), np.concatenate(predictions)
    everything = numbers(truth, predicted)
    keep = truth != VOID
    # With the void as a class of its own, so that pixels predicted to be void are missed.
    matrix = confusion_matrix(truth[keep], predicted[keep], labels=[*range(CLASSES), VOID])
    with np.errstate(invalid="ignore"):
        right = np.diag(matrix)[:CLASSES]
        everything["precision"] = known(right / matrix.sum(axis=0)[:CLASSES])
        everything["recall"] = known(right / matrix.sum(axis=1)[:CLASSES])
    everything["pixels"] = matrix.sum(axis=1)[:CLASSES].tolist()
    pictures = []
    for shape in [(9, 7, 1), (1, 5, 1), (6, 8, 3), (2, 2, 3)]:
        pixels = noise.integers(0, 256, size=shape)
        pictures.append({"pixels": pixels.tolist(), "expected": statistics(pixels)})
    document = {"images": images, "all": everything, "pictures": pictures}
    with open(os.path.join(HERE, "segmentation.json"), "w") as file:
        file.write(json.dumps(document, separators=(",", ":")) + "\n")
    print(everything, [picture["expected"] for picture in pictures], cv2.__version__)


if __name__ == "__main__":
    main()
