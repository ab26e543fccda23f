"""Seconds and memory of COCO's evaluation, ours beside pycocotools', interleaved in one run.

    cargo bench --bench detection --no-run          # prints the path of the binary
    python benches/detection.py BINARY [--rounds 3] [--workload few|many]

5,000 images and 36,000 true boxes of 80 classes, as many as in COCO's validation set; `few` has 36,000
predictions, `many` 100 for each image, as detectors hand them in. Each cell is a process of its own.
Seconds are of the evaluation alone, told by each side; CPU seconds and memory are the kernel's: what an
evaluating process takes above one that only loads the boxes, and for memory the peak of the whole too. Medians over the rounds; ratios are theirs over
ours. The numbers of both sides must agree to 1e-9. Needs pycocotools and numpy.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES, TRUTHS, CLASSES = 5000, 36_000, 80


def boxes(path, predictions):
    """Writes the rows that benches/detection.rs describes."""
    noise = np.random.default_rng(5)
    label = np.minimum(noise.geometric(0.05, size=TRUTHS) - 1, CLASSES - 1)
    size = np.exp(noise.uniform(np.log(6), np.log(400), size=(TRUTHS, 2)))
    corner = noise.uniform(0, 1, size=(TRUTHS, 2)) * (640 - size)
    truths = np.column_stack(
        [
            noise.integers(0, IMAGES, size=TRUTHS),
            label,
            np.zeros(TRUTHS),
            corner,
            size,
            size.prod(axis=1) * 0.7,
            noise.random(TRUTHS) < 0.02,
        ]
    )
    # Half of the predictions lie near a truth, some of them under another label.
    near = truths[noise.integers(0, TRUTHS, size=predictions)].copy()
    near[:, 2] = 1
    spread = noise.choice([0.03, 0.1, 0.5, 2.0], size=(predictions, 1))
    near[:, 3:5] += noise.normal(size=(predictions, 2)) * spread * near[:, 5:7]
    near[:, 5:7] *= np.exp(noise.normal(size=(predictions, 2)) * spread / 2)
    other = noise.random(predictions) < 0.2
    near[other, 1] = noise.integers(0, CLASSES, size=other.sum())
    near[:, 7] = noise.beta(1, 3, size=predictions) * np.where(spread[:, 0] < 0.2, 1, 0.6)
    near[:, 8] = 0
    if predictions > TRUTHS:
        near[:, 0] = np.arange(predictions) % IMAGES
        keep = noise.integers(0, predictions, size=predictions // 3)
        source = noise.integers(0, TRUTHS, size=keep.size)
        near[keep, 0], near[keep, 1] = truths[source, 0], truths[source, 1]
        shift = noise.normal(size=(keep.size, 4)) * 0.08 * truths[source, 5:7][:, [0, 1, 0, 1]]
        near[keep, 3:7] = np.maximum(truths[source, 3:7] + shift, [-1e9, -1e9, 1, 1])
    rows = np.concatenate([truths, near])
    rows[np.argsort(rows[:, 0], kind="stable")].astype("<f8").tofile(path)


def measure(command, environment):
    """What a process says, its CPU seconds, its peak of resident MiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | environment)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} ended with {process.returncode}")
    return said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the benchmark `detection`, built by cargo")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workload", choices=["few", "many"], action="append")
    arguments = parser.parse_args()
    peer = [sys.executable, os.path.join(HERE, "pycocotools_detection.py")]
    sides = {
        "emberlens": ([arguments.binary], {}),
        "emberlens, one thread": ([arguments.binary], {"RAYON_NUM_THREADS": "1"}),
        "pycocotools": (peer, {}),
    }
    with tempfile.TemporaryDirectory(prefix="emberlens-bench-") as folder:
        for workload in arguments.workload or ["few", "many"]:
            predictions = TRUTHS if workload == "few" else 100 * IMAGES
            path = os.path.join(folder, workload)
            # In a process of its own: a child's peak is never below what its parent held.
            call = f"import detection; detection.boxes({path!r}, {predictions})"
            subprocess.run([sys.executable, "-c", call], check=True, cwd=HERE)
            seen, numbers = {side: [] for side in sides}, {}
            for _ in range(arguments.rounds):
                for side, (command, environment) in sides.items():
                    _, before, loaded = measure([*command, "load", path], environment)
                    said, cpu, peak = measure([*command, "evaluate", path], environment)
                    said = json.loads(said)
                    numbers[side] = said["numbers"]
                    seen[side].append((said["seconds"], cpu - before, peak, peak - loaded))
            reference = numbers["pycocotools"]
            for side, found in numbers.items():
                apart = max(abs(a - b) for a, b in zip(found, reference))
                if apart > 1e-9:
                    sys.exit(f"{side} finds {found}, pycocotools {reference}")
            print(f"{workload}: {predictions} predictions, median of {arguments.rounds} rounds")
            print(f"  AP {reference[0]:.4f}, AP50 {reference[1]:.4f}, AR small {reference[2]:.4f}")
            theirs = [statistics.median(run) for run in zip(*seen["pycocotools"])]
            for side, runs in seen.items():
                ours = [statistics.median(run) for run in zip(*runs)]
                low, high = min(run[0] for run in runs), max(run[0] for run in runs)
                print(
                    f"  {side:22} {ours[0]:8.3f} s ({low:.3f}-{high:.3f}), {theirs[0] / ours[0]:.1f} times;"
                    f" CPU {ours[1]:.3f} s, {theirs[1] / ours[1]:.1f} times;"
                    f" peak {ours[2]:.0f} MiB, {theirs[2] / ours[2]:.1f} times;"
                    f" above loading {ours[3]:.0f} MiB"
                )


if __name__ == "__main__":
    main()
