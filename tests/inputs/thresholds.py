"""COCO files whose figures hang on the last bit of a box, or on boxes without area, and what
pycocotools says of them.

    python tests/inputs/thresholds.py

Writes thresholds.json beside itself. Needs pycocotools and numpy; made with pycocotools 2.0.11 and
NumPy 2.4.6. Detections cut a part off their truth, so that many IoUs are a threshold of COCO's but for
a rounding.
"""

import contextlib
import io
import json
import os

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = os.path.dirname(os.path.abspath(__file__))


def document(truths):
    images = [{"id": at + 1, "file_name": f"{at}.jpg", "width": 640, "height": 480} for at in range(len(truths))]
    annotations = [
        {"id": at + 1, "image_id": at + 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for at, box in enumerate(truths)
    ]
    return {"images": images, "categories": [{"id": 1, "name": "person"}], "annotations": annotations}


def evaluated(truths, detections):
    """The file, the detections, one for each image, and the summary."""
    given = document(truths)
    results = [
        {"image_id": at + 1, "category_id": 1, "bbox": box, "score": round(0.9 - at / 1000, 3)}
        for at, box in enumerate(detections)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = json.loads(json.dumps(given))
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(json.loads(json.dumps(results))), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    summary = [None if value == -1 else float(value) for value in evaluation.stats]
    return {"document": given, "results": results, "summary": summary}


def cut(noise, box):
    share = float(noise.choice([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]))
    return [box[0], box[1], box[2], box[3] * share]


def main():
    noise = np.random.default_rng(7)
    decimals = [[float(v) for v in np.round(noise.uniform([0, 0, 2, 2], [400, 300, 200, 150]), 2)] for _ in range(40)]
    floats = [[float(np.float32(v)) for v in noise.uniform([0, 0, 2, 2], [400, 300, 200, 150])] for _ in range(40)]
    made = {
        "one": evaluated([[1.6, 8.33, 17.5, 6.7]], [[1.6, 8.33, 17.5, 4.02]]),
        "decimals": evaluated(decimals, [cut(noise, box) for box in decimals]),
        "float32": evaluated(floats, [cut(noise, box) for box in floats]),
        # The second truth has no area, as two of train2017: none finds it.
        "lines": evaluated(
            [[10.0, 10.0, 40.0, 40.0], [335.5, 100.2, 120.0, 0.0]],
            [[10.0, 10.0, 40.0, 40.0], [335.5, 100.2, 120.0, 0.0]],
        ),
    }
    with open(os.path.join(HERE, "thresholds.json"), "w") as out:
        json.dump(made, out, indent=None, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
