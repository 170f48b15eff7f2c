"""LangGraph with its SQLite checkpointer: a thread for each row, a checkpoint after each step, each in a transaction.

What is kept of a row: its state before and after each step, and which step was next. Written before the next step begins
(`durability="sync"`); with the default the checkpoint may come later than the step after it.
"""

import sqlite3

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

import job


class State(TypedDict, total=False):
    number: int
    name: str
    customer: str
    score: float
    category: str
    amount: float
    fee: float


def main():
    outputs = job.Outputs()
    graph = StateGraph(State)
    graph.add_node("mapped", job.mapped)
    graph.add_node("first", lambda state: written(outputs, "first", state))
    graph.add_node("second", lambda state: written(outputs, "second", state))
    graph.add_edge(START, "mapped")
    graph.add_conditional_edges("mapped", lambda state: "first" if job.is_large(state) else "second")
    graph.add_edge("first", END)
    graph.add_edge("second", END)
    connection = sqlite3.connect("checkpoints.db", check_same_thread=False)
    compiled = graph.compile(checkpointer=SqliteSaver(connection))
    for row in job.rows():
        row = job.typed(row)
        config = {"configurable": {"thread_id": f"row-{row['number']}"}}
        compiled.invoke(row, config, durability="sync")
    outputs.close()
    connection.close()


def written(outputs, name, state):
    outputs.write(name, {field: state[field] for field in job.FIELDS})
    return {}


main()
