"""Runs processes, alternates two sides, and writes Markdown tables, for benches/reduction.py.

Imports nothing large: the kernel counts what a process held before it became another program, so the
peak of a child is never below the size of this one.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# Waiting threads sleep instead of spinning, so that CPU seconds are work.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
}


@dataclasses.dataclass
class Cost:
    """What a process took, and the JSON that it printed last."""

    wall: float
    cpu: float
    mib: float
    answer: dict


def run(command, environment=None):
    """One whole process, as a user starts it; ends this program where it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=out,
            stderr=err,
            env=os.environ | (environment or {}),
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            sys.exit(
                f"{' '.join(map(str, command))}\nended with {process.returncode}: {err.read()}"
            )
        text = out.read().strip()
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall, cpu, usage.ru_maxrss / 1024, parsed(text))


def parsed(text):
    """The whole output as JSON, else its last line, else nothing."""
    for candidate in (text, text.splitlines()[-1] if text else ""):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return {}


def python(script, *arguments):
    return [sys.executable, os.path.join(HERE, script), *arguments]


def interleaved(sides, rounds):
    """The costs of each side: one of each in a round, the order turned around every other round."""
    seen = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides.items())
        for name, start in order if number % 2 == 0 else order[::-1]:
            seen[name].append(start())
    return seen


def median(values):
    return statistics.median(values)


def spread(values, digits=2):
    """Median, and the range where there are several."""
    text = f"{median(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f}-{max(values):.{digits}f})"
    return text


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return lines


def machine():
    """Processor, cores, memory and load, as far as Linux tells."""
    model = "unknown processor"
    instructions = []
    with open("/proc/cpuinfo") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            if name.strip() == "flags":
                known = ("avx2", "fma", "avx512f")
                instructions = [flag for flag in known if flag in value.split()]
    with open("/proc/meminfo") as file:
        gib = int(file.readline().split()[1]) / 2**20
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{model} ({', '.join(instructions)}), {cores} cores for this process, "
        f"{gib:.0f} GiB, load {load:.1f} at the start"
    )
