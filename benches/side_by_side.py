"""CPU and wall seconds and peak memory of writing, ours beside pyarrow's, interleaved in one run.

    cargo bench --bench writer --no-run          # prints the path of the binary
    python benches/side_by_side.py BINARY [--rounds 5] [--workload scalars|embeddings]

Each cell is a process of its own, measured by the kernel when it ends. What making the batches and
starting the interpreter cost is measured alone and subtracted. Medians over the rounds; the ratio is
that of CPU seconds, ours over theirs, so less than 1 means that we need less.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = {"scalars": 10_000_000, "embeddings": 50_000}
HERE = os.path.dirname(os.path.abspath(__file__))


def measure(command):
    """CPU seconds, wall seconds and peak resident MB of one process."""
    folder = tempfile.mkdtemp(prefix="emberlens-bench-")
    try:
        start = time.monotonic()
        process = subprocess.Popen(command + [folder], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command} ended with {process.returncode}")
        return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the benchmark `writer`, built by cargo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workload", choices=["scalars", "embeddings"], action="append")
    arguments = parser.parse_args()
    peer = [sys.executable, os.path.join(HERE, "pyarrow_writer.py")]
    sides = {
        "emberlens": ([arguments.binary], "write"),
        "emberlens without syncs": ([arguments.binary], "write_unsynced"),
        "pyarrow, a row group a batch": (peer, "batches"),
        "pyarrow, 64 batches a row group": (peer, "grouped"),
        "pyarrow, the same with snappy": (peer, "grouped_snappy"),
    }
    for workload in arguments.workload or ["scalars", "embeddings"]:
        seen = {side: [] for side in sides}
        for _ in range(arguments.rounds):
            for side, (command, mode) in sides.items():
                made, made_wall, _ = measure(command + [workload, "make"])
                written, wall, peak = measure(command + [workload, mode])
                seen[side].append((written - made, wall - made_wall, peak))
        print(f"{workload}: median of {arguments.rounds} rounds")
        ours = statistics.median(cpu for cpu, _, _ in seen["emberlens"])
        for side, runs in seen.items():
            cpu, wall, _ = (statistics.median(column) for column in zip(*runs))
            peak = max(peak for _, _, peak in runs)
            rate = ROWS[workload] / wall / 1e6
            print(
                f"  {side:32} {cpu:6.2f} CPU s   ratio {ours / cpu:5.2f}   {wall:6.2f} s wall   "
                f"{rate:5.2f} M rows/s   peak {peak:4.0f} MB"
            )


if __name__ == "__main__":
    main()
