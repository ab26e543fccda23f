"""One process of a Python peer, for benches/reduction.py; prints a JSON line.

    python reduction_peer.py fit pacmap|umap X.npy OUT.npy FITS [SEED]
    python reduction_peer.py neighbors X.npy OUT.npy K
    python reduction_peer.py versions

`fit` fits with the package's defaults FITS times and tells about the last: the first compiles. Without
SEED the packages may use all threads. `neighbors` is faiss as pacmap 0.9.1 calls it: HNSW of 32 links
with the default efConstruction (40), asked for K and the row itself.
"""

import json
import resource
import sys
import time
import warnings

BEGUN = time.perf_counter()


class Clock:
    """Wall seconds, and CPU seconds of all threads."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self):
        return [time.perf_counter() - self.wall, time.process_time() - self.cpu]


def timed(stages, module, name):
    """Has every call of the module's function add to its stage."""
    inner = getattr(module, name)

    def call(*arguments, **named):
        clock = Clock()
        result = inner(*arguments, **named)
        before = stages.get(name, [0.0, 0.0])
        stages[name] = [a + b for a, b in zip(before, clock.read())]
        return result

    setattr(module, name, call)


def model(method, stages, seed):
    """A function that makes an unfitted model, and the seconds that the import took."""
    if method == "pacmap":
        import pacmap
        import pacmap.pacmap as inside

        names = ["preprocess_X", "compute_nearest_neighbors", "generate_pair", "pacmap"]
        make = lambda: pacmap.PaCMAP(n_components=2, random_state=seed)
    else:
        import umap
        import umap.umap_ as inside

        names = ["nearest_neighbors", "fuzzy_simplicial_set", "optimize_layout_euclidean"]
        make = lambda: umap.UMAP(random_state=seed)
    for name in names:
        if hasattr(inside, name):
            timed(stages, inside, name)
    return make


def fit(method, source, out, fits, seed=None):
    import numpy as np

    warnings.filterwarnings("ignore")
    x = np.load(source)
    stages = {}
    make = model(method, stages, None if seed is None else int(seed))
    imported = time.perf_counter() - BEGUN
    for _ in range(int(fits)):
        stages.clear()
        clock = Clock()
        places = make().fit_transform(x)
        wall, cpu = clock.read()
    np.save(out, np.asarray(places, np.float32))
    return {"wall": wall, "cpu": cpu, "import": imported, "stages": stages}


def neighbors(source, out, k):
    import faiss
    import numpy as np

    x = np.load(source)
    clock = Clock()
    index = faiss.IndexHNSWFlat(x.shape[1], 32, faiss.METRIC_L2)
    index.add(x)
    _, found = index.search(x, int(k) + 1)
    wall, cpu = clock.read()
    np.save(out, found[:, 1:].astype(np.int32))
    return {"wall": wall, "cpu": cpu}


def versions():
    from importlib.metadata import version

    names = ["pacmap", "umap-learn", "faiss-cpu", "numba", "numpy", "scikit-learn"]
    return {"Python": sys.version.split()[0]} | {name: version(name) for name in names}


def main():
    command, *arguments = sys.argv[1:]
    answer = {"fit": fit, "neighbors": neighbors, "versions": versions}[command](*arguments)
    answer["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
