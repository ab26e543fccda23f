"""Random scenes and what pycocotools says of them, for the tests of detection, masks and poses.

    python tests/inputs/coco.py

Writes detection.json, instances.json and poses.json beside itself. Needs pycocotools and numpy; made
with pycocotools 2.0.11 and NumPy 2.4.6. Scores have two decimals, so that many are equal.
"""

import contextlib
import io
import json
import os

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = 6  # class 4 is never there, class 5 is never predicted
CONFIDENCE, MOST = 0.3, 12


def ellipse(noise, height, width):
    """A filled ellipse, sometimes with a hole, as a mask of bytes."""
    y, x = np.mgrid[0:height, 0:width]
    cy, cx = noise.uniform(0, height), noise.uniform(0, width)
    ry, rx = noise.uniform(1, height / 2.5), noise.uniform(1, width / 2.5)
    away = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2
    inside = away <= 1
    if noise.random() < 0.3:
        inside &= away > 0.2
    return inside.astype(np.uint8)


def shifted(noise, pixels):
    """The same mask elsewhere nearby, with some pixels flipped."""
    moved = np.roll(pixels, noise.integers(-1, 2, size=2), axis=(0, 1))
    flip = noise.random(pixels.shape) < 0.004
    return np.where(flip, 1 - moved, moved).astype(np.uint8)


def rle(pixels):
    encoded = mask.encode(np.asfortranarray(pixels))
    return {"size": [int(n) for n in encoded["size"]], "counts": encoded["counts"].decode()}


def scene(kind, noise, images):
    """Annotations and results in COCO's form."""
    truths, results = [], []
    for image in range(1, images + 1):
        # Of all sizes, the smallest and the largest beyond COCO's ranges.
        height, width = (24, 32) if kind == "instances" else (480, 640)
        crowded = image == 3
        for _ in range(0 if image == 1 else int(noise.integers(0, 9))):
            label = int(noise.choice([0, 1, 2, 3, 5]))
            w, h = np.round(np.exp(noise.uniform(1.5, 5.6, size=2)), 1)
            x, y = np.round(noise.uniform(-10, [width, height]), 1)
            truth = {
                "id": len(truths) + 1,
                "image_id": image,
                "category_id": label,
                "bbox": [float(x), float(y), float(w), float(h)],
                "iscrowd": int(noise.random() < 0.12),
                "area": float(np.round(w * h * noise.uniform(0.5, 1), 2)),
            }
            copies = int(noise.integers(0, 4))
            if kind == "instances":
                pixels = ellipse(noise, height, width)
                truth["segmentation"] = rle(pixels)
                truth["area"] = float(pixels.sum() * noise.choice([1, 4, 64]))
            if kind == "poses":
                points = np.round(noise.uniform([x, y], [x + w, y + h], size=(17, 2)), 1)
                seen = noise.choice([0, 1, 2], size=17)
                if noise.random() < 0.15:
                    seen[:] = 0
                truth["keypoints"] = np.column_stack([points, seen]).ravel().tolist()
                truth["num_keypoints"] = int((seen > 0).sum())
                copies = int(noise.integers(0, 3))
            truths.append(truth)
            for _ in range(copies):
                other = int(noise.choice([0, 1, 2, 3, 4]))
                label = truth["category_id"] if noise.random() < 0.8 else other
                result = {
                    "image_id": image,
                    "category_id": 0 if label == 5 else label,
                    "score": float(np.round(noise.random(), 2)),
                }
                if kind == "detection":
                    nearby = truth["bbox"] + noise.normal(0, noise.choice([0.02, 0.1]), size=4) * [w, h, w, h]
                    result["bbox"] = np.round(np.maximum(nearby, [-1e9, -1e9, 0, 0]), 1).tolist()
                if kind == "instances":
                    result["segmentation"] = rle(shifted(noise, pixels))
                if kind == "poses":
                    spread = noise.choice([0.01, 0.04, 0.15])
                    moved = points + noise.normal(0, spread, size=(17, 2)) * [w, h]
                    flat = np.column_stack([np.round(moved, 1), np.ones(17)])
                    result["keypoints"] = flat.ravel().tolist()
                results.append(result)
        for _ in range(130 if crowded and kind == "detection" else 0):
            box = np.round(noise.uniform([0, 0, 5, 5], [width, height, 90, 90]), 1)
            score = float(np.round(noise.random(), 2))
            results.append(
                {"image_id": image, "category_id": 1, "bbox": box.tolist(), "score": score}
            )
    return truths, results


def evaluated(kind, truths, results, images, change=lambda params: None):
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image, "height": 24, "width": 32} for image in range(1, images + 1)],
        "categories": [{"id": label} for label in range(CLASSES)],
        "annotations": [dict(truth) for truth in truths],
        "info": {},
    }
    coco.createIndex()
    names = {"detection": "bbox", "instances": "segm", "poses": "keypoints"}
    evaluation = COCOeval(coco, coco.loadRes([dict(result) for result in results]), names[kind])
    change(evaluation.params)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def per_class(evaluation):
    """Average precision and recall by class; None where pycocotools has -1."""
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    labels, most = evaluation.params.areaRngLbl, len(evaluation.params.maxDets)

    def mean(values):
        return None if (values == -1).any() else float(values.mean())

    rows = []
    for k in range(CLASSES):
        row = {
            "ap_50": mean(precision[0, :, k, 0, -1]),
            "ap_75": mean(precision[5, :, k, 0, -1]),
        }
        for a, area in enumerate(labels):
            name = "" if area == "all" else f"_{area}"
            row[f"ap{name}"] = mean(precision[:, :, k, a, -1])
            row[f"ar{name}"] = mean(recall[:, k, a, -1])
        if most == 3:
            row["ar_1"], row["ar_10"] = mean(recall[:, k, 0, 0]), mean(recall[:, k, 0, 1])
        rows.append(row)
    return rows


def per_image(kind, truths, results, images):
    """tp, fp and fn of the most confident results of every image, with and without labels."""
    kept = []
    for image in range(1, images + 1):
        sure = [r for r in results if r["image_id"] == image and r["score"] >= CONFIDENCE]
        kept += sorted(sure, key=lambda result: -result["score"])[:MOST]

    def counts(with_labels):
        def change(params):
            params.iouThrs = np.array([0.5])
            params.maxDets = [1000]
            params.areaRng, params.areaRngLbl = [[0, 1e10]], ["all"]
            params.useCats = with_labels

        found = {image: [0, 0, 0] for image in range(1, images + 1)}
        for one in evaluated(kind, truths, kept, images, change).evalImgs:
            if one is None:
                continue
            hit, ignored = one["dtMatches"][0] > 0, one["dtIgnore"][0].astype(bool)
            there = one["gtIgnore"] == 0
            right = int((hit & ~ignored).sum())
            for at, count in enumerate([right, int((~hit & ~ignored).sum()), int(there.sum()) - right]):
                found[one["image_id"]][at] += count
        return list(found.values())

    # pycocotools compares keypoints within one class only.
    return {"strict": counts(1), "relaxed": None if kind == "poses" else counts(0)}


def best_iou(kind, truths, results):
    """The largest IoU of each result with a truth of its image that is no crowd."""
    key = {"detection": "bbox", "instances": "segmentation"}[kind]
    best = []
    for result in results:
        there = [t for t in truths if t["image_id"] == result["image_id"] and not t["iscrowd"]]
        ious = mask.iou([result[key]], [truth[key] for truth in there], [0] * len(there))
        best.append(float(np.max(ious)) if there else 0.0)
    return best


def main():
    for kind, images in [("detection", 40), ("instances", 30), ("poses", 40)]:
        noise = np.random.default_rng(2024)
        truths, results = scene(kind, noise, images)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = evaluated(kind, truths, results, images)
            rows = per_class(evaluation)
            evaluation.summarize()
            counts = per_image(kind, truths, results, images)
        scenes = {
            "images": images,
            "classes": CLASSES,
            "truths": truths,
            "results": results,
            "per_class": rows,
            "summary": [None if value == -1 else value for value in evaluation.stats.tolist()],
            "confidence": CONFIDENCE,
            "most": MOST,
            "per_image": counts,
            "best_iou": None if kind == "poses" else best_iou(kind, truths, results),
        }
        with open(os.path.join(HERE, f"{kind}.json"), "w") as file:
            file.write(json.dumps(scenes, separators=(",", ":")) + "\n")
        print(kind, len(truths), len(results), np.round(evaluation.stats, 3))


if __name__ == "__main__":
    main()
