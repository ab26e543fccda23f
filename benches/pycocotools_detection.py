"""The peer of benches/detection.rs: COCOeval on the same boxes.

    python benches/pycocotools_detection.py load|evaluate FILE

`load` makes the dataset and the results as COCO's objects. The seconds are those of `evaluate` and
`accumulate` alone.
"""

import contextlib
import io
import json
import sys
import time

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def load(path):
    rows = np.fromfile(path, dtype="<f8").reshape(-1, 9)
    truths, results = [], []
    for image, label, predicted, x, y, w, h, number, crowd in rows.tolist():
        one = {"image_id": int(image), "category_id": int(label), "bbox": [x, y, w, h]}
        if predicted:
            results.append(one | {"score": number})
        else:
            truths.append(one | {"id": len(truths) + 1, "area": number, "iscrowd": int(crowd)})
    images = int(rows[:, 0].max()) + 1
    del rows
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": label} for label in range(80)],
        "annotations": truths,
        "info": {},
    }
    truth.createIndex()
    return truth, truth.loadRes(results)


def main():
    mode, path = sys.argv[1:3]
    with contextlib.redirect_stdout(io.StringIO()):
        truth, results = load(path)
        if mode == "load":
            return
        evaluation = COCOeval(truth, results, "bbox")
        started = time.perf_counter()
        evaluation.evaluate()
        evaluation.accumulate()
        seconds = time.perf_counter() - started
        evaluation.summarize()
    numbers = [float(evaluation.stats[at]) for at in (0, 1, 9)]
    print(json.dumps({"seconds": seconds, "numbers": numbers}))


if __name__ == "__main__":
    main()
