#!/usr/bin/env python3
"""Runs the reference job on elspeth and on its peers, on this machine and one after the other, and prints the ratios.

    python3 -m venv target/peers && target/peers/bin/pip install -r xtask/peers/requirements.txt
    target/peers/bin/python xtask/peers/compare.py --elspeth target/release/elspeth

Peers without an audit get `--rows`, those that keep a record of each step `--durable-rows`, as they take milliseconds
for a row. Elspeth runs with both numbers, so that each is compared with the same file. What is measured is the whole process, from
its start to its exit, the median of `--runs`; and the same without what the process takes for one row, which is how long
it takes to start. Every peer must have written the rows that elspeth wrote. A peer that is not installed is named with the reason.
"""

import argparse
import csv
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
GIVEN = ["Ada", "Berta", "Carl", "Dora", "Emil", "Frida", "Gustav", "Hedwig"]
FAMILY = ["Adler", "Brandt", "Conrad", "Dietz", "Ebert", "Faber", "Gruber", "Hartmann"]
CATEGORIES = ["books", "food", "garden", "office", "travel"]
# Program -> title, whether it keeps a record of each step.
PEERS = {
    "bytewax": ("Bytewax", False),
    "pathway": ("Pathway", False),
    "langgraph": ("LangGraph, SQLite checkpointer", True),
    "dbos": ("DBOS, SQLite", True),
}


def main():
    options = arguments()
    elspeth = [str(options.elspeth.resolve()), "run", "-x", "--json", "-s", "settings.yaml"]
    print("| program | rows | wall s | CPU s | without the start: µs/row | times elspeth |")
    print("|---|--:|--:|--:|--:|--:|")
    ours = {}
    for rows in sorted({options.rows, options.durable_rows}, reverse=True):
        ours[rows] = measured(elspeth, rows, options.runs, None)
        show("elspeth", rows, ours[rows], ours[rows])
    missing = []
    for name, (title, durable) in PEERS.items():
        why = not_installed(name)
        if why:
            missing.append(f"{title}: not measured: {why}")
            continue
        rows = options.durable_rows if durable else options.rows
        command = [sys.executable, str(HERE / f"with_{name}.py")]
        show(title, rows, measured(command, rows, options.runs, ours[rows]["outputs"]), ours[rows])
    print("\n".join(missing))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elspeth", type=Path, required=True, help="the release binary")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--durable-rows", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def not_installed(name):
    tried = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, text=True)
    return tried.stderr.strip().splitlines()[-1] if tried.returncode else None


def measured(command, rows, runs, expected):
    taken = [one_run(command, rows, expected) for _ in range(runs)]
    started = [one_run(command, 1, None) for _ in range(runs)]
    median = lambda list_, key: statistics.median(run[key] for run in list_)
    wall = median(taken, "wall")
    return {
        "wall": wall,
        "cpu": median(taken, "cpu"),
        "row_us": (wall - median(started, "wall")) / (rows - 1) * 1e6,
        "outputs": taken[0]["outputs"],
    }


def one_run(command, rows, expected):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_rows(folder / "rows.csv", rows)
        shutil.copy(HERE / "settings.yaml", folder)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
        outputs = [read_rows(folder / f"{name}.csv") for name in ("first", "second")]
        if sum(map(len, outputs)) != rows or (expected is not None and outputs != expected):
            sys.exit(f"{' '.join(command)} wrote other rows than elspeth")
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return {"wall": wall, "cpu": cpu, "outputs": outputs}


def write_rows(path, rows):
    numbers = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "name", "score", "category", "amount"])
        for number in range(1, rows + 1):
            name = f"{numbers.choice(GIVEN)} {numbers.choice(FAMILY)}"
            score, amount = numbers.randrange(10_000) / 10_000, numbers.randrange(1_000_000) / 100
            writer.writerow([number, name, score, numbers.choice(CATEGORIES), amount])


def read_rows(path):
    """As values and by number: peers write numbers and columns in their own ways, and some in no order."""
    with path.open(newline="") as file:
        read = [
            (int(row["number"]), row["customer"], float(row["score"]), row["category"], float(row["amount"]), float(row["fee"]))
            for row in csv.DictReader(file)
        ]
    return sorted(read)


def show(title, rows, result, ours):
    ratio = result["row_us"] / ours["row_us"]
    print(
        f"| {title} | {rows} | {result['wall']:.2f} | {result['cpu']:.2f} | {result['row_us']:.1f} | {ratio:.1f} |",
        flush=True,
    )


main()
