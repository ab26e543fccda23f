"""Class counts of stratified splits as scikit-learn makes them, and the members of one split.

    python tests/inputs/splits.py

Writes splits.json beside itself. Needs scikit-learn and numpy; made with scikit-learn 1.9.1. The members
come from SplitMix64 and the shuffle of Fisher and Yates, written here from the papers' description.
"""

import json
import pathlib

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

MASK = (1 << 64) - 1


class SplitMix:
    def __init__(self, state):
        self.state = state

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def below(self, bound):
        """Lemire: the high half of a product, without the values that come too often."""
        while True:
            product = self.next() * bound
            if product & MASK >= (1 << 64) % bound:
                return product >> 64


def shuffled(rows, seed, stratum):
    seed ^= int.from_bytes(b"a split.", "big")
    draw = SplitMix(SplitMix(SplitMix(seed).next() ^ stratum).next())
    rows = list(rows)
    for last in range(len(rows) - 1, 0, -1):
        other = draw.below(last + 1)
        rows[last], rows[other] = rows[other], rows[last]
    return rows


def has_ties(counts, part):
    """Whether the remainder that decides is one of several equal ones: scikit-learn then draws."""
    exact = counts * part / counts.sum()
    remainders = np.sort(counts * part % counts.sum())[::-1]
    up = part - int(np.floor(exact).sum())
    return 0 < up < len(counts) and remainders[up - 1] == remainders[up]


def main():
    random = np.random.default_rng(3)
    cases = []
    while len(cases) < 60:
        counts = random.integers(2, 60, random.integers(2, 12))
        test = int(random.integers(len(counts), counts.sum() - len(counts)))
        train = int(counts.sum()) - test
        if has_ties(counts, train) or has_ties(counts, test):
            continue
        classes = np.repeat(np.arange(len(counts)), counts)
        splitter = StratifiedShuffleSplit(n_splits=1, train_size=train, test_size=test, random_state=0)
        chosen, others = next(splitter.split(classes, classes))
        length = len(counts)
        cases.append({
            "classes": counts.tolist(),
            "train": np.bincount(classes[chosen], minlength=length).tolist(),
            "test": np.bincount(classes[others], minlength=length).tolist(),
        })
    plain = shuffled(range(20), 7, 0)
    document = {
        "cases": cases,
        "members": {"rows": 20, "seed": 7, "train": sorted(plain[:14]), "valid": sorted(plain[14:18]),
                    "test": sorted(plain[18:])},
    }
    path = pathlib.Path(__file__).parent / "splits.json"
    path.write_text(json.dumps(document) + "\n")


main()
