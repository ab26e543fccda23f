"""Our reductions beside Python's: seconds, memory, quality. docs/benchmarks.md has the protocol.

    cargo build --release --bin emberlens
    cargo bench --bench reduction --no-run       # prints the path of the binary
    python3 -m venv V && V/bin/pip install pacmap==0.9.1 umap-learn==0.5.12 faiss-cpu scikit-learn
    V/bin/python benches/reduction.py --emberlens target/release/emberlens --bench BINARY

Processes of the two sides alternate, and figures are medians with their range. Run it on a machine
that does nothing else: only CPU seconds forgive a neighbour. MNIST is read from the IDX files of
--mnist (or `mnist/` in the folder that EMBERLENS_TEST_DATA names); all other data is made here.
Sections are printed, and appended to --output, as they end.
"""

import argparse
import os
import platform
import subprocess
import sys

from reduction_measure import machine, python, run
from reduction_sections import SECTIONS, Bench

MNIST = os.path.join(os.environ.get("EMBERLENS_TEST_DATA", ""), "mnist")


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emberlens", required=True, help="the command line, built for release")
    parser.add_argument("--bench", help="the benchmark `reduction`, built by cargo")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="these sections alone")
    parser.add_argument("--quick", action="store_true", help="small data, one round: does it run?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="the peer's memory at 1M rows too")
    parser.add_argument(
        "--data", default="target/reduction-data", help="folder for data and results"
    )
    parser.add_argument("--mnist", default=MNIST if os.path.isdir(MNIST) else None)
    parser.add_argument("--output", help="Markdown file to append to")
    found = parser.parse_args()
    if found.quick:
        found.rounds = 1
    if not found.quick and not found.mnist:
        parser.error("without --mnist or EMBERLENS_TEST_DATA there is no MNIST; see --quick")
    return found


def versions(emberlens):
    peers = run(python("reduction_peer.py", "versions")).answer
    peers.pop("peak_mib")
    ours = subprocess.run([emberlens, "--version"], capture_output=True, text=True, check=True)
    named = [ours.stdout.strip()] + [f"{name} {version}" for name, version in peers.items()]
    return ", ".join(named)


def main():
    chosen = options()

    def say(*lines):
        text = "\n".join(lines) + "\n"
        print(text, flush=True)
        if chosen.output:
            with open(chosen.output, "a") as file:
                file.write(text + "\n")

    os.makedirs(chosen.data, exist_ok=True)
    say(
        f"Machine: {machine()}; Linux {platform.release()}.",
        f"Versions: {versions(chosen.emberlens)}.",
    )
    bench = Bench(chosen)
    for name in chosen.only or SECTIONS:
        section = SECTIONS[name]
        about = " ".join(section.__doc__.split())
        try:
            lines = section(bench)
        except KeyboardInterrupt:
            sys.exit(f"{name}: interrupted")
        say(f"### {name}", "", about, "", *lines)


if __name__ == "__main__":
    main()
