"""Bytewax: a dataflow in memory. No recovery is configured, so nothing is kept of a row but its line of output."""

from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.files import CSVSource, FileSink
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

import job


def main():
    flow = Dataflow("reference")
    read = op.input("read", flow, CSVSource(Path("rows.csv")))
    mapped = op.map("mapped", read, lambda row: job.mapped(job.typed(row)))
    large = op.branch("large", mapped, job.is_large)
    for name, stream in (("first", large.trues), ("second", large.falses)):
        Path(f"{name}.csv").write_text(",".join(job.FIELDS) + "\n")
        keyed = op.map(f"{name}_line", stream, lambda row: ("all", job.line(row)))
        op.output(name, keyed, Appending(Path(f"{name}.csv")))
    run_main(flow)


class Appending(FileSink):
    """Keeps the header that is there already."""

    def build_part(self, step_id, for_part, resume_state):
        return super().build_part(step_id, for_part, self._path.stat().st_size)


main()
