"""Pathway: a dataflow in memory, in static mode. No persistence is configured, so nothing is kept of a row but its line of output."""

import pathway as pw


class Row(pw.Schema):
    number: int
    name: str
    score: float
    category: str
    amount: float


def main():
    read = pw.io.csv.read("rows.csv", schema=Row, mode="static")
    mapped = read.select(
        read.number,
        customer=read.name,
        score=read.score,
        category=read.category,
        amount=read.amount,
        fee=read.amount * 0.02,
    )
    large = (mapped.amount > 5000) & (mapped.score >= 0.25)
    pw.io.csv.write(mapped.filter(large), "first.csv")
    pw.io.csv.write(mapped.filter(~large), "second.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


main()
