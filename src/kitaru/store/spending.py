"""What model calls used and cost, summed up from the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column, select
from sqlalchemy.sql.selectable import SelectBase

from kitaru.store.records import JsonDict
from kitaru.store.tables import executions, subcalls

USAGE = ("model_calls", "input_tokens", "output_tokens", "cost_usd", "unpriced_calls")


def usage_query(group: ColumnElement[Any]) -> SelectBase:
    """Of each group: its name and ``USAGE``; tokens and US dollars are sums over what is known."""
    used = subcalls.c
    unpriced = case(((used.status == "completed") & used.cost_usd.is_(None), 1))
    sums = (func.count(), func.sum(used.input_tokens), func.sum(used.output_tokens), func.sum(used.cost_usd))
    query = select(group, *sums, func.count(unpriced)).select_from(subcalls)
    query = query.join(executions, executions.c.exec_id == used.exec_id)
    return query.where(used.kind == "llm_call").group_by(
        literal_column("1")
    )  # a parameter in it has two names else


def usage_row(row: Any) -> tuple[Any, JsonDict]:
    """The group of a row of ``usage_query``, and what it used."""
    group, count, taken, given, cost, unpriced = row
    # PostgreSQL sums big integers as decimals.
    tokens = [0 if value is None else int(value) for value in (taken, given)]
    # Nothing known of several calls is not nothing spent.
    known = cost if cost is not None or unpriced else 0.0
    return group, dict(zip(USAGE, (count, *tokens, known, unpriced), strict=True))


def family_cost(rows: Callable[[Any], list[Any]], exec_id: str) -> float:
    """What an execution and all that it started have cost, as far as prices are known, in US dollars."""
    family = select(executions.c.exec_id).where(executions.c.exec_id == exec_id).cte(recursive=True)
    children = select(executions.c.exec_id).where(executions.c.parent_exec_id == family.c.exec_id)
    family = family.union_all(children)
    query = select(func.sum(subcalls.c.cost_usd)).where(
        subcalls.c.exec_id.in_(select(family.c.exec_id)), subcalls.c.kind == "llm_call"
    )
    return rows(query)[0][0] or 0.0
