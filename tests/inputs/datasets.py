"""COCO files of instances and keypoints, detections on them, and what pycocotools says of both.

    python tests/inputs/datasets.py
    python tests/inputs/datasets.py evaluate instances.json instances

The first writes datasets.json beside itself. The second evaluates the same detections against another
file of annotations, and prints the summaries; tests give it files that were exported. Needs
pycocotools and numpy; made with pycocotools 2.0.11 and NumPy 2.4.6.
"""

import contextlib
import io
import json
import os
import sys

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"instances": ["bbox", "segm"], "keypoints": ["bbox", "keypoints"]}


def star(noise, centre, radius):
    count = int(noise.integers(4, 10))
    turn = np.sort(noise.uniform(0, 2 * np.pi, count))
    away = radius * noise.uniform(0.5, 1.1, count)
    points = centre + np.column_stack([np.cos(turn), np.sin(turn)]) * away[:, None]
    return [float(value) for value in np.round(points, 2).ravel()]


def segmentation(noise, height, width, crowd):
    """Polygons, a list of run lengths (as COCO's crowds have it), or compressed run lengths."""
    radius = noise.uniform(4, min(height, width) / 3)
    centre = noise.uniform([0, 0], [width, height])
    parts = [star(noise, centre, radius)]
    if noise.random() < 0.3:
        parts.append(star(noise, centre + noise.uniform(-2, 2, 2) * radius, radius / 2))
    kind = noise.random()
    if not crowd and kind < 0.8:
        return parts
    drawn = mask.merge(mask.frPyObjects(parts, height, width))
    if not crowd:
        return {"size": [height, width], "counts": drawn["counts"].decode()}
    pixels = mask.decode(drawn).ravel(order="F")
    ends = np.flatnonzero(np.diff(np.concatenate([[0], pixels])))
    runs = np.diff(np.concatenate([[0], ends, [pixels.size]]))
    return {"size": [height, width], "counts": [int(run) for run in runs]}


def encoded(shape, height, width):
    if isinstance(shape, list):
        return mask.merge(mask.frPyObjects(shape, height, width))
    if isinstance(shape["counts"], list):
        return mask.frPyObjects(shape, height, width)
    return shape


def dataset(kind, noise):
    ids = noise.choice(1000, 24, replace=False) + 5
    images = [
        {
            "id": int(id),
            "file_name": f"{'val/' if id % 3 else ''}{id:012}.jpg",
            "height": int(noise.integers(40, 260)),
            "width": int(noise.integers(40, 260)),
            "license": 3,
        }
        for id in ids
    ]
    categories = [
        {"id": id, "name": name, "supercategory": "things"}
        for id, name in [(90, "toothbrush"), (3, "car"), (17, "cat"), (18, "dog")]
    ]
    if kind == "keypoints":
        names = [f"point {number}" for number in range(17)]
        categories = [
            {"id": 1, "name": "person", "keypoints": names, "skeleton": [[16, 14], [14, 12]]}
        ]
    annotations, results = [], {"bbox": [], "segm": [], "keypoints": []}
    for image in images[1:]:
        height, width = image["height"], image["width"]
        for _ in range(int(noise.integers(0, 7))):
            crowd = int(noise.random() < 0.12)
            category = int(noise.choice([category["id"] for category in categories]))
            shape = segmentation(noise, height, width, crowd)
            drawn = encoded(shape, height, width)
            bbox = [float(side) for side in np.round(mask.toBbox(drawn), 2)]
            if bbox[2] == 0 or bbox[3] == 0:
                continue
            bbox = [round(side + float(noise.choice([0, 0.13, 0.37])), 2) for side in bbox]
            annotation = {
                "id": int(9_000_000_000 + 7 * len(annotations)),
                "image_id": image["id"],
                "category_id": category,
                "bbox": bbox,
                "area": float(mask.area(drawn)) + 0.25,
                "iscrowd": crowd,
            }
            if kind == "instances":
                annotation["segmentation"] = shape
            else:
                low = np.array(bbox[:2])
                points = np.round(low + noise.uniform(0, 1, (17, 2)) * bbox[2:], 2)
                seen = noise.choice([0, 1, 2], 17) * (0 if crowd else 1)
                flat = np.column_stack([points * (seen > 0)[:, None], seen])
                annotation["keypoints"] = [float(value) for value in flat.ravel()]
                annotation["num_keypoints"] = int((seen > 0).sum())
            annotations.append(annotation)
            for _ in range(int(noise.integers(0, 3))):
                result = {
                    "image_id": image["id"],
                    "category_id": category if noise.random() < 0.8 else categories[0]["id"],
                    "score": float(noise.random()),
                }
                spread = noise.choice([0.02, 0.08]) * np.array([bbox[2], bbox[3]] * 2)
                moved = np.array(bbox) + noise.normal(0, 1, 4) * spread
                moved = [float(side) for side in np.maximum(np.round(moved, 2), [-99, -99, 0.5, 0.5])]
                results["bbox"].append({**result, "bbox": moved})
                if kind == "instances":
                    pixels = np.roll(mask.decode(drawn), noise.integers(-2, 3, 2), axis=(0, 1))
                    text = mask.encode(np.asfortranarray(pixels))["counts"].decode()
                    shape_seen = {"size": [height, width], "counts": text}
                    results["segm"].append({**result, "segmentation": shape_seen})
                else:
                    near = points + noise.normal(0, noise.choice([0.01, 0.05]), (17, 2)) * bbox[2:]
                    flat = np.column_stack([np.round(near, 2), np.ones(17)])
                    flat = [float(value) for value in flat.ravel()]
                    results["keypoints"].append({**result, "keypoints": flat})
    document = {
        "info": {"year": 2024},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    return document, {name: found for name, found in results.items() if found}


def summaries(document, results):
    found = {}
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = document
        coco.createIndex()
        for name, detections in results.items():
            seen = coco.loadRes([dict(detection) for detection in detections])
            evaluation = COCOeval(coco, seen, name)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            found[name] = [None if value == -1 else value for value in evaluation.stats.tolist()]
    return found


def masks(document):
    """The mask of every annotation as `annToRLE` gives it."""
    coco = COCO()
    coco.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    drawn = [coco.annToRLE(annotation) for annotation in document["annotations"]]
    return [
        one["counts"].decode() if isinstance(one["counts"], bytes) else one["counts"] for one in drawn
    ]


def main():
    made = {}
    for kind, seed in [("instances", 5), ("keypoints", 6)]:
        document, results = dataset(kind, np.random.default_rng(seed))
        copy = json.loads(json.dumps(document))
        made[kind] = {
            "document": document,
            "results": results,
            "summary": summaries(copy, results),
            "masks": masks(json.loads(json.dumps(document))) if kind == "instances" else None,
        }
        print(kind, len(document["annotations"]), made[kind]["summary"])
    with open(os.path.join(HERE, "datasets.json"), "w") as file:
        file.write(json.dumps(made, separators=(",", ":")) + "\n")


def evaluate(path, kind):
    with open(os.path.join(HERE, "datasets.json")) as file:
        results = json.load(file)[kind]["results"]
    with open(path) as file:
        document = json.load(file)
    drawn = masks(document) if kind == "instances" else None
    print(json.dumps({"summary": summaries(document, results), "masks": drawn}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["evaluate"]:
        evaluate(*sys.argv[2:])
    else:
        main()
