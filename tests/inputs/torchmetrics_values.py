"""What torchmetrics says of sequences and of masks of classes.

    python tests/inputs/torchmetrics_values.py

Reads segmentation.json, writes torchmetrics.json beside itself. Needs torchmetrics; made with torchmetrics 1.9
and PyTorch 2.15. Masks are those of segmentation.py, where a pixel is predicted to be void only if it is.
"""

import json
import os

import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index
from torchmetrics.functional.text import perplexity

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES, VOID, PAD = 5, 255, 0


def sequences():
    noise = torch.Generator().manual_seed(31)
    logits = torch.randn(4, 7, 6, generator=noise) * 2
    targets = torch.randint(1, 6, (4, 7), generator=noise)
    for row, length in enumerate([7, 4, 1, 6]):
        targets[row, length:] = PAD
    of_rows = [
        float(perplexity(logits[row : row + 1].double(), targets[row : row + 1], ignore_index=PAD))
        for row in range(4)
    ]
    return {
        "logits": logits.tolist(),
        "targets": targets.tolist(),
        "perplexity": of_rows,
        "all": float(perplexity(logits.double(), targets, ignore_index=PAD)),
    }


def masks():
    with open(os.path.join(HERE, "segmentation.json")) as file:
        images = json.load(file)["images"]
    found = []
    for image in images:
        truth, seen = (torch.tensor(image[name]) for name in ("truth", "predicted"))
        # torchmetrics has no prediction that is no class.
        seen = torch.where(truth == VOID, 0, seen)
        options = {"num_classes": CLASSES, "ignore_index": VOID}
        index = multiclass_jaccard_index(seen[None], truth[None], average="none", **options)
        keep = truth != VOID
        accuracy = multiclass_accuracy(seen[None], truth[None], average="micro", **options)
        there = [bool(((seen == c) | (truth == c))[keep].any()) for c in range(CLASSES)]
        found.append({
            "iou": [float(v) if is_there else None for v, is_there in zip(index, there)],
            "accuracy": float(accuracy) if keep.any() else None,
        })
    return found


def main():
    document = {"sequences": sequences(), "masks": masks()}
    with open(os.path.join(HERE, "torchmetrics.json"), "w") as file:
        json.dump(document, file)
        file.write("\n")


if __name__ == "__main__":
    main()
