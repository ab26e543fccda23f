"""The sections of benches/reduction.py; each gives the lines of a Markdown table."""

import math
import os
from functools import partial

from reduction_measure import (
    ONE_THREAD,
    interleaved,
    median,
    python,
    run,
    spread,
    table,
)

SEED = 7
# Neighbours that PaCMAP asks for by default: 10 and 50 candidates more, among which it chooses.
CANDIDATES = 60
# Up to this many rows our PaCMAP asks for the first share of the true neighbours, beyond for the second.
FEW, RECALL = 65_536, (0.99, 0.95)
MEASURES = {
    "trustworthiness": "trustworthiness@10",
    "neighbor_recall": "10-neighbour recall",
    "neighbor_accuracy": "10-nn accuracy",
    "random_triplets": "random triplets",
    "centroid_triplets": "centroid triplets",
}


class Bench:
    """Where things are, and how often to measure."""

    def __init__(self, options):
        self.options = options
        self.rounds = options.rounds
        self.quick = options.quick
        self.folder = options.data

    def sets(self, *names):
        """Names of data sets, made where they are missing; small ones for a quick look."""
        if self.quick:
            names = ["syn10k" if name.startswith("syn") else "digits" for name in names]
        names = list(dict.fromkeys(names))
        self.make(*names)
        return names

    def make(self, *names):
        run(python("reduction_data.py", self.folder, self.options.mnist or "-", *names))

    def x(self, name):
        return os.path.join(self.folder, f"{name}_X.npy")

    def labels(self, name):
        return os.path.join(self.folder, f"{name}_y.npy")

    def out(self, side, ending="npy"):
        return os.path.join(self.folder, f"out-{side}.{ending}")

    def shape(self, path):
        """Rows and columns of a .npy file, from its header."""
        with open(path, "rb") as file:
            head = file.read(256).decode("latin-1")
        inside = head[head.index("(") + 1 : head.index(")")]
        return [int(part) for part in inside.split(",") if part.strip()]

    def ours(self, name, method, seed=SEED, threads=None):
        command = [self.options.emberlens, "--json", "reduce", self.x(name), "--method", method]
        command += ["--dims", 2, "--seed", seed, "--force", "-o", self.out("ours")]
        return lambda: run(command + (["--threads", threads] if threads else []))

    def peer(self, name, method, fits=1, seed=(), environment=None):
        arguments = ["fit", method, self.x(name), self.out("peer"), fits, *seed]
        return lambda: run(python("reduction_peer.py", *arguments), environment)

    def part(self, *arguments):
        """A command of the benchmark binary `reduction`, on one thread."""
        return run([self.options.bench, *arguments])


def both(bench, pairs, ours, peer, rounds=None):
    for method, names in pairs:
        for name in bench.sets(*names):
            sides = {"ours": ours(name, method), "peer": peer(name, method)}
            yield method, name, interleaved(sides, rounds or bench.rounds)


def processes(bench):
    """Whole processes as a user starts them, default threads, no seed for the peer; seconds."""
    pairs = [("pacmap", ["mnist10k", "syn50k", "syn50k512"]), ("umap", ["mnist10k", "syn50k"])]
    rows = []
    for method, name, seen in both(bench, pairs, bench.ours, bench.peer):
        wall = {side: [cost.wall for cost in costs] for side, costs in seen.items()}
        cpu = {side: median([cost.cpu for cost in costs]) for side, costs in seen.items()}
        ratio = median(wall["peer"]) / median(wall["ours"])
        imported = median([cost.answer["import"] for cost in seen["peer"]])
        rows.append(
            [method, name, spread(wall["ours"]), spread(wall["peer"]), f"**{ratio:.1f}**"]
            + [f"{imported:.1f}", f"{cpu['ours']:.2f}", f"{cpu['peer']:.2f}"]
        )
    head = ["method", "data", "wall, ours", "wall, peer", "times less"]
    return table(head + ["its import", "CPU, ours", "CPU, peer"], rows)


def cpu(bench):
    """CPU seconds, one thread: our whole process (`--threads 1`, reading and writing included)
    against the peer's second fit in one process, without import and compilation."""
    pairs = [
        ("pacmap", ["digits", "mnist10k", "syn50k", "syn50k512"]),
        ("umap", ["mnist10k", "syn50k"]),
    ]
    ours = lambda name, method: bench.ours(name, method, threads=1)
    peer = lambda name, method: bench.peer(name, method, fits=2, environment=ONE_THREAD)
    rows, stages = [], []
    for method, name, seen in both(bench, pairs, ours, peer):
        ours_cpu = [cost.cpu for cost in seen["ours"]]
        peer_cpu = [cost.answer["cpu"] for cost in seen["peer"]]
        ratio = median(peer_cpu) / median(ours_cpu)
        rows.append([method, name, spread(ours_cpu), spread(peer_cpu), f"**{ratio:.1f}**"])
        stages.append([method, name, own_stages(bench, name, method), peer_stages(seen["peer"])])
    lines = table(["method", "data", "CPU, ours", "CPU, peer", "times less"], rows)
    return lines + ["", *table(["method", "data", "stages, ours", "stages, peer"], stages)]


def staged(bench, name, method):
    x = bench.x(name)
    return bench.part("stages", method, x, *bench.shape(x), SEED, 1).answer


def own_stages(bench, name, method):
    if not bench.options.bench:
        return "not run"
    seen = [staged(bench, name, method)["stages"] for _ in range(bench.rounds)]
    cpu = [(parts[0]["stage"], median([part["cpu"] for part in parts])) for parts in zip(*seen)]
    return ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in cpu)


def peer_stages(costs):
    names = costs[0].answer["stages"]
    cpu = {name: median([cost.answer["stages"][name][1] for cost in costs]) for name in names}
    return ", ".join(f"`{name}` {seconds:.2f}" for name, seconds in cpu.items())


def neighbors(bench):
    """The neighbour search alone, one thread: 60 neighbours of every row in the 100 components that
    PaCMAP searches, at the recall that it asks for; faiss as pacmap calls it. Recall of the 60 by exact search for 1,000 rows."""
    if not bench.options.bench:
        return ["not run: no `--bench`"]
    rows = []
    for name in bench.sets("mnist10k", "syn50k", "syn200k"):
        bench.make("pca:" + name)
        x = bench.x(name + "pca100")
        found = {"ours": bench.out("ours", "u32"), "peer": bench.out("peer")}
        shape = bench.shape(x)
        asked = RECALL[shape[0] > FEW]
        search = ["neighbors", x, *shape, CANDIDATES, asked, SEED, 1, found["ours"]]
        faiss = python("reduction_peer.py", "neighbors", x, found["peer"], CANDIDATES)
        sides = {
            "ours": partial(bench.part, *search),
            "peer": partial(run, faiss, ONE_THREAD),
        }
        seen = interleaved(sides, bench.rounds)
        cpu = {side: [cost.answer["cpu"] for cost in costs] for side, costs in seen.items()}
        recall = {}
        for side, path in found.items():
            measured = run(python("reduction_quality.py", "recall", x, path, CANDIDATES))
            recall[side] = f"{measured.answer['recall']:.3f}"
        ratio = median(cpu["peer"]) / median(cpu["ours"])
        rows.append(
            [name, spread(cpu["ours"]), recall["ours"], spread(cpu["peer"]), recall["peer"]]
            + [f"**{ratio:.1f}**"]
        )
    return table(["data", "CPU, ours", "recall", "CPU, faiss", "recall", "times less"], rows)


def umap_layout(bench):
    """UMAP's optimiser alone, one thread, CPU seconds: the peer's second call in one process."""
    if not bench.options.bench:
        return ["not run: no `--bench`"]
    rows = []
    for name in bench.sets("mnist10k", "syn50k"):
        sides = {
            "ours": partial(staged, bench, name, "umap"),
            "peer": bench.peer(name, "umap", fits=2, environment=ONE_THREAD),
        }
        seen = interleaved(sides, bench.rounds)
        layouts = [of_stage(answer, "UMAP layout") for answer in seen["ours"]]
        peers = [cost.answer["stages"]["optimize_layout_euclidean"][1] for cost in seen["peer"]]
        ratio = median(peers) / median(layouts)
        rows.append([name, spread(layouts), spread(peers), f"**{ratio:.1f}**"])
    return table(["data", "CPU, ours", "CPU, umap-learn", "times less"], rows)


def of_stage(answer, label):
    return sum(part["cpu"] for part in answer["stages"] if part["stage"] == label)


def memory(bench):
    """Peak resident memory of whole processes, MiB, default threads; one run each."""
    pacmap = ["digits", "mnist10k", "syn10k", "syn50k", "syn50k512", "syn200k"]
    pairs = [("pacmap", pacmap + ["syn1m"] * bench.options.large)]
    pairs.append(("umap", ["digits", "mnist10k", "syn50k"]))
    rows = []
    for method, name, seen in both(bench, pairs, bench.ours, bench.peer, rounds=1):
        input_mib = os.path.getsize(bench.x(name)) / 2**20
        ours, peer = seen["ours"][0].mib, seen["peer"][0].mib
        rows.append(
            [
                method,
                name,
                f"{input_mib:.0f}",
                f"{ours:.0f}",
                f"{peer:.0f}",
                f"**{ours / peer:.2f}**",
            ]
        )
    return table(["method", "data", "input", "ours", "peer", "share of the peer's"], rows)


def growth(bench):
    """Our PaCMAP as rows grow, whole processes, default threads; at most 3 rounds."""
    names = ["digits", "syn10k"] if bench.quick else ["syn50k", "syn200k", "syn1m"]
    names = bench.sets(*names)
    sides = {name: bench.ours(name, "pacmap") for name in names}
    rows, first = [], None
    for name, costs in interleaved(sides, min(bench.rounds, 3)).items():
        count = bench.shape(bench.x(name))[0]
        seconds = median([cost.cpu for cost in costs])
        first = first or (count, seconds)
        exponent = "-"
        if count > first[0]:
            exponent = f"**{math.log(seconds / first[1]) / math.log(count / first[0]):.2f}**"
        wall = spread([cost.wall for cost in costs], 1)
        mib = max(cost.mib for cost in costs)
        rows.append([f"{count:,}", wall, f"{seconds:.1f}", f"{mib:.0f}", exponent])
    return table(["rows", "wall", "CPU", "peak MiB", "exponent from the first"], rows)


def quality(bench):
    """The five measures, mean over the seeds; larger is better. Both sides by the Python measures,
    ours by the library's too; the difference is that of the Python measures."""
    seeds = [7] if bench.quick else [7, 8, 9]
    names = bench.sets("digits", "mnist10k", "syn50k")
    rows = []
    for method in ("pacmap", "umap"):
        for name in names:
            means = averages(bench, method, name, seeds)
            for measure, label in MEASURES.items():
                ours, library, peer = (means[side].get(measure) for side in means)
                own = "not run" if library is None else f"{library:.4f}"
                rows.append([method, name, label, own, f"{ours:.4f}", f"{peer:.4f}"])
                rows[-1].append(f"**{ours - peer:+.4f}**")
    head = ["method", "data", "measure", "ours, by the library", "ours", "peer", "difference"]
    return table(head, rows) + ["", f"Seeds: {', '.join(map(str, seeds))}."]


def averages(bench, method, name, seeds):
    found = {"ours": [], "library": [], "peer": []}
    x, labels = bench.x(name), bench.labels(name)
    for seed in seeds:
        bench.ours(name, method, seed=seed)()
        bench.peer(name, method, seed=[seed])()
        for side in ("ours", "peer"):
            arguments = ["layout", x, bench.out(side), labels, seed]
            found[side].append(run(python("reduction_quality.py", *arguments)).answer)
        if bench.options.bench:
            shape = bench.shape(x)
            own = bench.part("quality", x, *shape, bench.out("ours"), 2, labels, seed)
            found["library"].append(own.answer)
    mean = lambda answers, key: sum(answer[key] for answer in answers) / len(answers)
    return {
        side: {key: mean(answers, key) for key in MEASURES} if answers else {}
        for side, answers in found.items()
    }


SECTIONS = {
    "processes": processes,
    "cpu": cpu,
    "neighbors": neighbors,
    "umap-layout": umap_layout,
    "memory": memory,
    "growth": growth,
    "quality": quality,
}
