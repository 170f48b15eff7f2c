"""DBOS with its SQLite system database: a workflow for each row, a record of each step's result.

What is kept of a row: the workflow with its input, status and result, and the output of each step. One workflow after
the other, as rows come in one file.
"""

from dbos import DBOS, DBOSConfig

import job

OUTPUTS = job.Outputs()


@DBOS.step()
def mapped(row):
    return job.mapped(row)


@DBOS.step()
def decided(row):
    return "first" if job.is_large(row) else "second"


@DBOS.step()
def written(name, row):
    OUTPUTS.write(name, row)


@DBOS.workflow()
def one(row):
    row = mapped(row)
    written(decided(row), row)


def main():
    config: DBOSConfig = {
        "name": "reference",
        "system_database_url": "sqlite:///dbos.sqlite",
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    for row in job.rows():
        one(job.typed(row))
    OUTPUTS.close()
    DBOS.destroy()


main()
