"""What model calls used and cost, summed up from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column, select
from sqlalchemy.sql.selectable import SelectBase

from kitaru.store.records import JsonDict
from kitaru.store.tables import executions, subcalls

USAGE = ("model_calls", "input_tokens", "output_tokens", "cost_usd", "unpriced_calls")
UNUSED: JsonDict = {
    "model_calls": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "cost_usd": 0.0,
    "unpriced_calls": 0,
}


def _sums() -> tuple[ColumnElement[Any], ...]:
    used = subcalls.c
    unpriced = case(((used.status == "completed") & used.cost_usd.is_(None), 1))
    tokens = (func.sum(used.input_tokens), func.sum(used.output_tokens))
    return func.count(used.child_id), *tokens, func.sum(used.cost_usd), func.count(unpriced)


def usage_query(group: ColumnElement[Any]) -> SelectBase:
    """Of each group: its name and ``USAGE``; tokens and US dollars are sums over what is known."""
    query = select(group, *_sums()).select_from(subcalls)
    query = query.join(executions, executions.c.exec_id == subcalls.c.exec_id)
    # By its place: a parameter in it has two names else.
    return query.where(subcalls.c.kind == "llm_call").group_by(literal_column("1"))


def family_query(exec_ids: Sequence[str]) -> SelectBase:
    """Of each execution, with all that it started: its id and ``USAGE``."""
    start = select(executions.c.exec_id.label("root"), executions.c.exec_id)
    family = start.where(executions.c.exec_id.in_(exec_ids)).cte(recursive=True)
    children = select(family.c.root, executions.c.exec_id)
    family = family.union_all(children.where(executions.c.parent_exec_id == family.c.exec_id))
    query = select(family.c.root, *_sums()).select_from(family)
    query = query.join(subcalls, subcalls.c.exec_id == family.c.exec_id)
    return query.where(subcalls.c.kind == "llm_call").group_by(family.c.root)


def usage_row(row: Any) -> tuple[Any, JsonDict]:
    """The group of a row of one of these queries, and what it used."""
    group, count, taken, given, cost, unpriced = row
    # PostgreSQL sums big integers as decimals.
    tokens = [0 if value is None else int(value) for value in (taken, given)]
    # Nothing known of several calls is not nothing spent.
    known = cost if cost is not None or unpriced else 0.0
    return group, dict(zip(USAGE, (count, *tokens, known, unpriced), strict=True))
