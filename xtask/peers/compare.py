#!/usr/bin/env python3
"""Runs the reference job on elspeth and on its peers, on this machine and one after the other, and prints the ratios.

    python3 -m venv target/peers && target/peers/bin/pip install -r xtask/peers/requirements.txt
    target/peers/bin/python xtask/peers/compare.py --elspeth target/release/elspeth

Peers without an audit get `--rows`, those that keep a record of each step `--durable-rows`, as they take milliseconds for a
row; elspeth's cost of a row is that with `--rows`, where its start does not show. What is measured is the whole process,
from its start to its exit, the least of `--runs`: other programs on the machine only ever add to it. Times of a row are
without what a process takes for a single row, which is how long it takes to start. Every peer must have written the rows
that elspeth wrote. A peer that is not installed, fails or writes other rows is named with the reason, and the others go on.
The table is that of docs/performance.md.
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
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
GIVEN = ["Ada", "Berta", "Carl", "Dora", "Emil", "Frida", "Gustav", "Hedwig"]
FAMILY = ["Adler", "Brandt", "Conrad", "Dietz", "Ebert", "Faber", "Gruber", "Hartmann"]
CATEGORIES = ["books", "food", "garden", "office", "travel"]
HEAD = """\
| program | rows | wall s | CPU s | wall µs/row | times elspeth | CPU µs/row | times elspeth | what is kept of a row beside its line of output |
|---|--:|--:|--:|--:|--:|--:|--:|---|"""
KEPT = "the row, each decision with its reason, hashes and their proofs, which sink wrote it; durable before and after the sink acts"


class Peer(NamedTuple):
    # `{}` is where the versions of the distributions stand.
    title: str
    distributions: list
    # Whether it keeps a record of each step.
    durable: bool
    kept: str


# What `with_<name>.py` runs.
PEERS = {
    "bytewax": Peer("Bytewax {}", ["bytewax"], False, "nothing (no recovery configured)"),
    "pathway": Peer("Pathway {}", ["pathway"], False, "nothing (no persistence configured)"),
    "langgraph": Peer(
        "LangGraph {}, SQLite checkpointer {}",
        ["langgraph", "langgraph-checkpoint-sqlite"],
        True,
        "its state after each step and which step came next, each in a transaction (`durability=\"sync\"`, no hashes)",
    ),
    "dbos": Peer(
        "DBOS {}, SQLite",
        ["dbos"],
        True,
        "input, status and result of its workflow and the output of each step (no hashes)",
    ),
}


class NotMeasured(Exception):
    """Why there is no figure, in one line."""


def main():
    options = arguments()
    elspeth = [str(options.elspeth.resolve()), "run", "-x", "--json", "-s", "settings.yaml"]
    try:
        ours = measured(elspeth, options.rows, options.runs, None)
        expected = {rows: one_run(elspeth, rows, None)["outputs"] for rows in (options.rows, options.durable_rows)}
    except NotMeasured as why:
        sys.exit(f"elspeth: not measured: {why}")
    print(HEAD)
    show("elspeth", options.rows, ours, None, KEPT)
    missing = []
    for name, peer in PEERS.items():
        rows = options.durable_rows if peer.durable else options.rows
        command = [sys.executable, str(HERE / f"with_{name}.py")]
        try:
            title = peer.title.format(*versions(peer.distributions))
            show(title, rows, measured(command, rows, options.runs, expected[rows]), ours, peer.kept)
        except NotMeasured as why:
            missing.append(f"{name}: not measured: {why}")
    if missing:
        print("\n" + "\n".join(missing))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elspeth", type=Path, required=True, help="the release binary")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--durable-rows", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def versions(distributions):
    try:
        return [metadata.version(distribution) for distribution in distributions]
    except metadata.PackageNotFoundError as missing:
        raise NotMeasured(f"{missing.name} is not installed") from None


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
            raise NotMeasured(f"exit code {done.returncode}: {last_line(done.stderr)}")
        outputs = [read_rows(folder / f"{name}.csv") for name in ("first", "second")]
        if sum(map(len, outputs)) != rows:
            raise NotMeasured(f"it wrote {sum(map(len, outputs))} of {rows} rows")
        if expected is not None and outputs != expected:
            raise NotMeasured("it wrote other rows than elspeth")
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return {"wall": wall, "cpu": cpu, "outputs": outputs}


def last_line(text):
    return next(reversed(text.strip().splitlines()), "no reason given")


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
    try:
        with path.open(newline="") as file:
            return sorted(map(values, csv.DictReader(file)))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise NotMeasured(f"{path.name} cannot be read: {error!r}") from None


def values(row):
    return (
        int(row["number"]),
        row["customer"],
        float(row["score"]),
        row["category"],
        float(row["amount"]),
        float(row["fee"]),
    )


def show(title, rows, result, ours, kept):
    cells = [title, f"{rows}", f"{result['wall']:.2f}", f"{result['cpu']:.2f}"]
    for key in ("row_us", "row_cpu_us"):
        times = number(result[key] / ours[key]) if ours else "1"
        cells += [number(result[key]), times]
    print(f"| {' | '.join([*cells, kept])} |", flush=True)


def number(value):
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


main()
