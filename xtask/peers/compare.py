#!/usr/bin/env python3
"""Runs the reference job on elspeth and on its peers, on this machine and one after the other, and prints the ratios.

    python3 -m venv target/peers && target/peers/bin/pip install -r xtask/peers/requirements.txt
    target/peers/bin/python xtask/peers/compare.py --elspeth target/release/elspeth

Peers without an audit get `--rows`, those that keep a record of each step `--durable-rows`, as they take milliseconds for a
row; elspeth's cost of a row is that with `--rows`, where its start does not show. What is measured is the whole process,
from its start to its exit, the least of `--runs`: other programs on the machine only ever add to it. Times of a row are
without what a process takes for a single row, which is how long it takes to start. Every peer must have written the rows
that elspeth wrote. A peer that is not installed is named with the reason.
"""

import argparse
import csv
import random
import resource
import shutil
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
    print("| program | rows | wall s | CPU s | µs/row | times elspeth | CPU µs/row | times elspeth |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    ours = measured(elspeth, options.rows, options.runs, None)
    show("elspeth", options.rows, ours, ours)
    expected = {rows: one_run(elspeth, rows, None)["outputs"] for rows in (options.rows, options.durable_rows)}
    missing = []
    for name, (title, durable) in PEERS.items():
        why = not_installed(name)
        if why:
            missing.append(f"{title}: not measured: {why}")
            continue
        rows = options.durable_rows if durable else options.rows
        command = [sys.executable, str(HERE / f"with_{name}.py")]
        show(title, rows, measured(command, rows, options.runs, expected[rows]), ours)
    print("\n".join(missing))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elspeth", type=Path, required=True, help="the release binary")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--durable-rows", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def not_installed(name):
    tried = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, text=True)
    return tried.stderr.strip().splitlines()[-1] if tried.returncode else None


def measured(command, rows, runs, expected):
    taken = [one_run(command, rows, expected) for _ in range(runs)]
    started = [one_run(command, 1, None) for _ in range(runs)]
    least = lambda list_, key: min(run[key] for run in list_)
    row_us = lambda key: (least(taken, key) - least(started, key)) / (rows - 1) * 1e6
    return {
        "wall": least(taken, "wall"),
        "cpu": least(taken, "cpu"),
        "row_us": row_us("wall"),
        "row_cpu_us": row_us("cpu"),
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
    cells = [title, f"{rows}", f"{result['wall']:.2f}", f"{result['cpu']:.2f}"]
    for key in ("row_us", "row_cpu_us"):
        cells += [f"{result[key]:.1f}", f"{result[key] / ours[key]:.1f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


main()
