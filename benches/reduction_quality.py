"""How faithful coordinates are, in Python, for benches/reduction.py; prints a JSON line.

    python reduction_quality.py layout X.npy Y.npy LABELS.npy SEED
    python reduction_quality.py recall X.npy FOUND.npy|FOUND.u32 K

`layout` gives the five measures, larger is better: trustworthiness (scikit-learn, within 5,000 rows);
the share of 10 nearest neighbours kept, and the accuracy of their vote on the label (2,000 rows among
all); the share of 100,000 random triplets, and of all triplets of class centroids, whose order of
distances is kept. `recall` is the share of the true K neighbours found, on 1,000 rows.
"""

import json
import sys

import faiss
import numpy as np
from sklearn.manifold import trustworthiness

NEIGHBORS = 10


def nearest(x, rows, k):
    """The k nearest other rows, exactly; a duplicate may come before the row itself."""
    x = np.ascontiguousarray(x, np.float32)
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    found = index.search(x[rows], k + 1)[1]
    # Stable: the row itself goes last, the others keep their order.
    itself = np.argsort(found == rows[:, None], axis=1, kind="stable")
    return np.take_along_axis(found, itself, axis=1)[:, :k]


def shared(a, b):
    """The mean share of a's columns that are among b's of the same row."""
    return float((a[:, :, None] == b[:, None, :]).any(axis=2).mean())


def vote(labels, found):
    ballots = labels[found]
    return np.array([np.bincount(ballot).argmax() for ballot in ballots])


def agreement(x, y, triplets):
    """The share of triplets in which both spaces say whether the second or third is nearer."""

    def closer(space):
        a, b, c = (space[triplets[:, place]] for place in range(3))
        return np.square(a - b).sum(axis=1) < np.square(a - c).sum(axis=1)

    return float((closer(x) == closer(y)).mean())


def of_centroids(x, y, labels):
    classes = np.unique(labels)
    means = [np.stack([space[labels == c].mean(axis=0) for c in classes]) for space in (x, y)]
    count = np.arange(len(classes))
    a, b, c = (part.ravel() for part in np.meshgrid(count, count, count, indexing="ij"))
    distinct = (b < c) & (a != b) & (a != c)
    return agreement(*means, np.stack([a, b, c], axis=1)[distinct])


def layout(x, y, labels, seed):
    random = np.random.default_rng(seed)
    # Centred, so that squares of 32-bit numbers keep their digits.
    x, y = (space - space.mean(axis=0, dtype=np.float64).astype(np.float32) for space in (x, y))
    rows = len(x)
    some = random.choice(rows, min(rows, 5_000), replace=False)
    asked = np.sort(random.choice(rows, min(rows, 2_000), replace=False))
    of_x, of_y = nearest(x, asked, NEIGHBORS), nearest(y, asked, NEIGHBORS)
    triplets = random.integers(0, rows, size=(100_000, 3))
    triplets = triplets[[len(set(row)) == 3 for row in triplets.tolist()]]
    return {
        "trustworthiness": float(trustworthiness(x[some], y[some], n_neighbors=NEIGHBORS)),
        "neighbor_recall": shared(of_x, of_y),
        "neighbor_accuracy": float((vote(labels, of_y) == labels[asked]).mean()),
        "random_triplets": agreement(x, y, triplets),
        "centroid_triplets": of_centroids(x, y, labels),
    }


def recall(source, found, k):
    x = np.load(source, mmap_mode="r")
    if found.endswith(".npy"):
        found = np.load(found, mmap_mode="r")
    else:
        found = np.fromfile(found, "<u4").reshape(len(x), -1)
    asked = np.sort(np.random.default_rng(0).choice(len(x), min(len(x), 1_000), replace=False))
    true = nearest(x, asked, k)
    return {"recall": shared(true, found[asked].astype(np.int64))}


def main():
    command, *arguments = sys.argv[1:]
    if command == "recall":
        answer = recall(arguments[0], arguments[1], int(arguments[2]))
    else:
        x, y, labels = (np.load(path) for path in arguments[:3])
        answer = layout(x, y, labels, int(arguments[3]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
