"""Budgets: what does not begin, what is recorded all the same, and who cannot get around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import kitaru
from kitaru import KitaruClient, aio
from tests.support.model_server import ModelServer

Providers = dict[str, ModelServer]

# An answer of 100 tokens in and 20 out by the model behind ``claude``.
ANSWER_USD = 0.0002


def over_budget(flow: Callable[[], Any]) -> str:
    """The id of the execution that the error is about."""
    with pytest.raises(kitaru.KitaruBudgetExceeded) as failed:
        flow().wait()
    assert failed.value.exec_id is not None
    return failed.value.exec_id


@kitaru.flow(budget_usd=ANSWER_USD)
def stubborn() -> str:
    for _ in range(3):
        try:
            kitaru.llm("Again.", model="claude")
        except Exception:
            return "caught"
    return "done"


def test_a_flow_cannot_catch_it(client: KitaruClient, providers: Providers) -> None:
    exec_id = over_budget(stubborn.run)
    assert client.executions.get(exec_id).cost_usd == pytest.approx(ANSWER_USD)
    assert len(providers["claude"].requests) == 1


@kitaru.flow(budget_usd=2 * ANSWER_USD)
async def side_by_side() -> list[str]:
    return list(await asyncio.gather(*(aio.llm(f"{n}", model="claude", max_tokens=9000) for n in range(3))))


def test_calls_side_by_side_reserve_and_what_is_paid_for_is_recorded(
    client: KitaruClient, providers: Providers
) -> None:
    execution = client.executions.get(over_budget(side_by_side.run))
    assert [(call.call_id, call.status) for call in execution.checkpoints] == [("llm#1", "completed")]
    assert execution.cost_usd == pytest.approx(ANSWER_USD)
    assert len(providers["claude"].requests) == 1


@kitaru.flow
def child() -> str:
    return kitaru.llm("Child.", model="claude")


@kitaru.flow(budget_usd=ANSWER_USD)
def parent() -> str:
    first = child.run().wait()
    return first + kitaru.llm("Parent.", model="claude")


def test_what_a_child_spends_counts(client: KitaruClient, providers: Providers) -> None:
    exec_id = over_budget(parent.run)
    assert client.executions.get(exec_id).cost_usd == pytest.approx(ANSWER_USD)
    assert len(providers["claude"].requests) == 1
