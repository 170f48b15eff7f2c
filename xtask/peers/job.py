"""The reference job's rules, the same for every peer: rows of rows.csv, mapped, and sent to one of two files."""

import csv

FIELDS = ["number", "customer", "score", "category", "amount", "fee"]


def rows(path="rows.csv"):
    with open(path, newline="") as file:
        yield from csv.DictReader(file)


def typed(row):
    return {**row, "number": int(row["number"]), "score": float(row["score"]), "amount": float(row["amount"])}


def mapped(row):
    return {
        "number": row["number"],
        "customer": row["name"],
        "score": row["score"],
        "category": row["category"],
        "amount": row["amount"],
        "fee": row["amount"] * 0.02,
    }


def is_large(row):
    return row["amount"] > 5000 and row["score"] >= 0.25


def line(row):
    return ",".join(str(row[field]) for field in FIELDS)


class Outputs:
    """Both files, for peers that have no sink of their own for csv."""

    def __init__(self):
        self.files = {name: open(f"{name}.csv", "w", newline="") for name in ("first", "second")}
        self.writers = {name: csv.DictWriter(file, FIELDS) for name, file in self.files.items()}
        for writer in self.writers.values():
            writer.writeheader()

    def write(self, name, row):
        self.writers[name].writerow(row)

    def close(self):
        for file in self.files.values():
            file.close()
