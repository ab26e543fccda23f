"""The data of benches/reduction.py: python reduction_data.py FOLDER MNIST NAME...

Writes NAME_X.npy (f32) and NAME_y.npy (labels, i32) unless they are there. MNIST is a folder with the
IDX files of the MNIST test set, plain or .gz, or `-`. `pca:NAME` writes NAMEpca100_X.npy, the rows in
their first 100 principal components: what PaCMAP searches for neighbours.

    digits      1,797 x 64    UCI digits, from this repository
    mnist10k    10,000 x 784  MNIST's test images, 0 to 1
    syn10k, syn50k, syn200k, syn1m    n x 128, and syn50k512
                50 clusters of 12 intrinsic dimensions, bent by a random two-layer network, with noise
"""

import gzip
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "integrations", "burn", "examples", "data", "digits.csv.gz")
SYNTHETIC = {
    "syn10k": (10_000, 128),
    "syn50k": (50_000, 128),
    "syn200k": (200_000, 128),
    "syn1m": (1_000_000, 128),
    "syn50k512": (50_000, 512),
}
CHUNK = 50_000


def digits():
    with gzip.open(DIGITS) as file:
        table = np.loadtxt(file, delimiter=",")
    return table[:, :-1], table[:, -1]


def idx(folder, name, header):
    path = os.path.join(folder, name)
    if os.path.exists(path):
        with open(path, "rb") as file:
            content = file.read()
    else:
        with gzip.open(path + ".gz") as file:
            content = file.read()
    return np.frombuffer(content, np.uint8, offset=header)


def mnist10k(folder):
    labels = idx(folder, "t10k-labels-idx1-ubyte", 8)
    images = idx(folder, "t10k-images-idx3-ubyte", 16)
    return images.reshape(len(labels), -1) / 255.0, labels


def synthetic(rows, width, seed=7):
    """Rows as the hidden layer of a classifier has them: clusters, curved, of few dimensions."""
    clusters, inner, hidden = 50, 12, 256
    random = np.random.default_rng(seed)
    centres = 2.2 * random.normal(size=(clusters, inner))
    shapes = random.normal(size=(clusters, inner, inner)) / np.sqrt(inner) * 0.9
    first = random.normal(size=(inner, hidden)) / np.sqrt(inner)
    bias = 0.3 * random.normal(size=hidden)
    second = random.normal(size=(hidden, width)) / np.sqrt(hidden)
    sizes = random.dirichlet(3.0 * np.ones(clusters))
    labels = random.choice(clusters, size=rows, p=sizes)
    x = np.empty((rows, width), np.float32)
    for begin in range(0, rows, CHUNK):
        part = labels[begin : begin + CHUNK]
        noise = random.normal(size=(len(part), inner))
        inside = centres[part] + np.einsum("nij,nj->ni", shapes[part], noise)
        out = np.tanh(inside @ first + bias) @ second
        leaky = np.where(out > 0, out, 0.1 * out)
        x[begin : begin + CHUNK] = leaky + 0.03 * random.normal(size=out.shape)
    return x, labels


def make(name, mnist):
    if name == "digits":
        return digits()
    if name == "mnist10k":
        return mnist10k(mnist)
    return synthetic(*SYNTHETIC[name])


def save(path, array):
    """Whole or not at all: an interrupted run leaves no half file that the next would trust."""
    np.save(path + ".part.npy", array)
    os.replace(path + ".part.npy", path)


def components(folder, name):
    from sklearn.decomposition import PCA

    x = np.load(os.path.join(folder, name + "_X.npy"))
    if x.shape[1] > 100:
        x = PCA(n_components=100, random_state=0).fit_transform(x)
    save(os.path.join(folder, name + "pca100_X.npy"), np.ascontiguousarray(x, np.float32))


def main():
    folder, mnist, *names = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for name in names:
        of_components = name.startswith("pca:")
        name = name.removeprefix("pca:")
        path = os.path.join(folder, name + ("pca100" if of_components else ""))
        if os.path.exists(path + "_X.npy"):
            continue
        if of_components:
            components(folder, name)
            continue
        x, labels = make(name, mnist)
        save(path + "_y.npy", np.asarray(labels, np.int32))
        save(path + "_X.npy", np.ascontiguousarray(x, np.float32))


if __name__ == "__main__":
    main()
