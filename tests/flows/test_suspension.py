"""Waits and sleeps: answers of every type, expiry, and flows that try to swallow a suspension."""

from __future__ import annotations

import asyncio
import enum
from typing import Any

import pytest
from pydantic import BaseModel

import kitaru
from kitaru import KitaruClient, aio
from kitaru.errors import (
    KitaruContextError,
    KitaruUserCodeError,
    KitaruWaitExpired,
    KitaruWaitValidationError,
)
from tests.support.processes import wait_until


class Colour(enum.Enum):
    RED = "red"


class Review(BaseModel):
    score: int
    remarks: list[str] = []


SCHEMAS: dict[str, Any] = {"model": Review, "enum": Colour, "none": None, "list": list[int], "bool": bool}


@kitaru.flow
def asking(kind: str) -> Any:
    return kitaru.wait("answer", schema=SCHEMAS[kind], timeout=60)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("model", {"score": 3}, Review(score=3)),
        ("enum", "red", Colour.RED),
        ("none", None, None),
        ("list", [1, 2], [1, 2]),
        ("bool", False, False),
    ],
)
def test_an_answer_comes_back_as_its_type(client: KitaruClient, kind: str, given: Any, expected: Any) -> None:
    handle = asking.run(kind)
    wait_until(lambda: client.executions.pending_waits(handle.exec_id), "the question")
    client.executions.input(handle.exec_id, value=given)
    got = handle.wait(timeout=30)
    assert got == expected
    assert type(got) is type(expected)


def test_a_model_answer_is_held_against_its_schema(client: KitaruClient) -> None:
    handle = asking.run("model")
    wait_until(lambda: client.executions.pending_waits(handle.exec_id), "the question")
    with pytest.raises(KitaruWaitValidationError, match="score"):
        client.executions.input(handle.exec_id, value={"score": "high"})
    client.executions.input(handle.exec_id, value=Review(score=1, remarks=["ok"]))
    assert handle.wait(timeout=30) == Review(score=1, remarks=["ok"])


@kitaru.flow
def expiring() -> str:
    try:
        kitaru.wait("soon", expires=0.05)
    except KitaruWaitExpired:
        return "expired"
    return "?"


def test_a_wait_expires(client: KitaruClient) -> None:
    handle = expiring.run()
    wait_until(lambda: handle.status.is_finished, "the expiry")
    assert handle.get() == "expired"


@kitaru.flow
def aborted() -> None:
    kitaru.wait("never", timeout=60)


def test_an_aborted_wait_raises_in_the_flow(client: KitaruClient) -> None:
    handle = aborted.run()
    wait_until(lambda: client.executions.pending_waits(handle.exec_id), "the question")
    client.executions.abort_wait(handle.exec_id)
    with pytest.raises(kitaru.KitaruExecutionError, match="aborted"):
        handle.wait(timeout=30)


REACHED: list[str] = []


@kitaru.flow
def swallowing() -> str:
    try:
        kitaru.wait("one")
    except:  # noqa: E722
        REACHED.append("swallowed")
    finally:
        return "swallowed"  # noqa: B012


@kitaru.flow
async def swallowing_gather() -> str:
    got = await asyncio.gather(aio.wait("one"), aio.wait("two"), return_exceptions=True)
    REACHED.append(str(got))
    return "swallowed"


@kitaru.flow
async def swallowing_group() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asking_task())
            group.create_task(asking_task())
    except BaseException:
        REACHED.append("group")
    return "swallowed"


async def asking_task() -> None:
    await aio.wait("one")


@pytest.mark.parametrize("flow", [swallowing, swallowing_gather, swallowing_group])
def test_a_suspension_cannot_be_swallowed(client: KitaruClient, flow: Any) -> None:
    handle = flow.run()
    handle.until_suspended()
    execution = client.executions.get(handle.exec_id)
    assert (execution.status, execution.result) == ("waiting", None)
    assert execution.checkpoints == []


@kitaru.flow
def several() -> int:
    first, second = kitaru.wait.submit("first", schema=int), kitaru.wait.submit("second", schema=int)
    return first.result() - second.result()


def test_the_process_ends_again_after_the_second_of_two_was_answered(client: KitaruClient) -> None:
    handle = several.run()
    handle.until_suspended()
    client.executions.input(handle.exec_id, wait="second", value=2)
    epoch = client._backend.store.execution(handle.exec_id).epoch

    def waits_again() -> bool:
        row = client._backend.store.execution(handle.exec_id)
        return row.epoch > epoch and row.status == "waiting"

    wait_until(waits_again, "the flow to wait again", 60)
    assert [w.name for w in client.executions.pending_waits(handle.exec_id)] == ["first"]
    client.executions.input(handle.exec_id, wait="first", value=44)
    assert handle.wait(timeout=60) == 42


@kitaru.flow
async def first_of_two() -> str:
    left, right = asyncio.create_task(named("left")), asyncio.create_task(named("right"))
    done, pending = await asyncio.wait({left, right}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    answer = done.pop().result()
    return f"{answer} then {await named('last')}"


async def named(name: str) -> str:
    return await aio.wait(name, schema=str)


def test_a_wait_that_the_flow_gave_up_is_closed(client: KitaruClient) -> None:
    handle = first_of_two.run()
    handle.until_suspended()
    client.executions.input(handle.exec_id, wait="right", value="R")

    def asked() -> list[str]:
        return [w.name for w in client.executions.pending_waits(handle.exec_id)]

    wait_until(lambda: asked() == ["last"] and handle.status == "waiting", "only the last wait to be open")
    client.executions.input(handle.exec_id, value="L")
    assert handle.wait(timeout=60) == "R then L"


def test_waits_may_be_open_together_in_a_sync_flow(client: KitaruClient) -> None:
    handle = several.run()
    handle.until_suspended()
    assert [w.name for w in client.executions.pending_waits(handle.exec_id)] == ["first", "second"]
    client.executions.input(handle.exec_id, wait="second", value=2)
    client.executions.input(handle.exec_id, wait="first", value=44)
    assert handle.wait(timeout=60) == 42


@kitaru.flow
async def sync_wait() -> None:
    kitaru.wait("x")


def test_a_sync_wait_in_an_async_flow_names_its_twin(client: KitaruClient) -> None:
    with pytest.raises(KitaruUserCodeError, match=r"await kitaru\.aio\.wait"):
        sync_wait.run().wait()


def test_a_wait_needs_a_flow() -> None:
    with pytest.raises(KitaruContextError, match="outside a flow"):
        kitaru.wait("x")
