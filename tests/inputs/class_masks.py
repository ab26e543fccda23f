"""Writes tests/inputs/class_masks/: images and masks of classes as Pillow writes them, and what they hold.

    python tests/inputs/class_masks.py

Needs numpy and pillow; made with pillow 13.0.0.
"""

import json
import pathlib

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).parent / "class_masks"
NAMES = {0: "background", 3: "road", 7: "car", 11: "sky"}
VOID = 255


def main():
    random = np.random.default_rng(7)
    (ROOT / "images/town").mkdir(parents=True, exist_ok=True)
    (ROOT / "masks/town").mkdir(parents=True, exist_ok=True)
    palette = random.integers(0, 256, 768, dtype=np.uint8).tolist()
    expected = {}
    kinds = [("a", "P", 8, [0, 3, 7, 11, VOID]), ("b", "P", 4, [0, 3, 7, 11]), ("town/c", "L", 8, [0, 7, VOID]),
             ("town/d", "I;16", 16, [3, 7, 11, VOID]), ("e", "P", 2, [0, 3])]
    for number, (stem, mode, bits, ids) in enumerate(kinds):
        height, width = 5 + number, 9 + 2 * number
        mask = random.choice(ids, (height, width))
        image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        image.save(ROOT / f"images/{stem}.{'jpg' if number % 2 else 'png'}")
        if mode == "I;16":
            Image.fromarray(mask.astype(np.uint16)).save(ROOT / f"masks/{stem}.png")
        else:
            drawn = Image.fromarray(mask.astype(np.uint8)).convert(mode) if mode == "L" else None
            if drawn is None:
                drawn = Image.new("P", (width, height))
                drawn.putdata([int(value) for value in mask.ravel()])
                drawn.putpalette(palette[: 3 * 2 ** bits])
            drawn.save(ROOT / f"masks/{stem}.png", bits=bits)
        classes = np.searchsorted(list(NAMES), mask)
        expected[stem] = np.where(mask == VOID, VOID, classes).tolist()
    document = {"names": {str(key): name for key, name in NAMES.items()}, "void": VOID, "classes": expected}
    (ROOT / "expected.json").write_text(json.dumps(document) + "\n")


main()
