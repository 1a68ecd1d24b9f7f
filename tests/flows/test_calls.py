"""Flows and checkpoints: how they are called, what they give back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.errors import (
    KitaruContextError,
    KitaruExecutionError,
    KitaruStateError,
    KitaruUsageError,
    KitaruUserCodeError,
)


@kitaru.checkpoint
def double(number: int) -> int:
    return number * 2


@kitaru.checkpoint
def add(left: int, right: int = 0) -> int:
    return left + right


@kitaru.flow
def sums(number: int) -> dict[str, Any]:
    futures = double.map(range(number))
    total = add.submit(futures[1], futures[2])
    product = [future.result() for future in add.product([1, 2], [10, 20])]
    named = double(5, id="mine")
    return {"map": [f.result() for f in futures], "total": total.load(), "product": product, "named": named}


def test_submit_map_product_and_futures_as_arguments(client: KitaruClient) -> None:
    handle = sums.run(3)
    assert handle.wait() == {"map": [0, 2, 4], "total": 6, "product": [11, 21, 12, 22], "named": 10}
    assert handle.status.is_successful
    assert handle.get()["named"] == 10
    ids = [call.call_id for call in client.executions.get(handle.exec_id).checkpoints]
    assert sorted(ids) == sorted(
        ["double#1", "double#2", "double#3", "add#1", "add#2", "add#3", "add#4", "add#5", "double@mine"]
    )


def test_a_flow_is_not_called_directly() -> None:
    with pytest.raises(KitaruUsageError, match=r"sums\.run"):
        sums(3)


def test_a_checkpoint_needs_a_flow() -> None:
    with pytest.raises(KitaruContextError, match="outside a flow"):
        double(1)


@kitaru.checkpoint
def nesting() -> int:
    return double(1)


@kitaru.flow
def nested() -> int:
    return nesting()


def test_a_checkpoint_in_a_checkpoint_is_refused(client: KitaruClient) -> None:
    with pytest.raises(KitaruUserCodeError, match="inside checkpoint") as caught:
        nested.run().wait()
    assert isinstance(caught.value.__cause__, KitaruContextError)


def test_wrong_arguments_are_told(client: KitaruClient) -> None:
    with pytest.raises(KitaruUsageError, match="number"):
        sums.run()


@kitaru.checkpoint
def grow(items: list[int]) -> list[int]:
    items.append(1)
    return items


@kitaru.flow
def aliasing() -> tuple[list[int], list[int]]:
    mine = [0]
    return mine, grow(mine)


def test_neither_arguments_nor_outputs_are_shared(client: KitaruClient) -> None:
    assert aliasing.run().wait() == ([0], [0, 1])


@kitaru.checkpoint
async def meet(barrier: str, number: int) -> int:
    await BARRIERS[barrier].wait()
    return number


BARRIERS: dict[str, asyncio.Barrier] = {}


@kitaru.flow
async def gathering() -> list[int]:
    BARRIERS["gather"] = asyncio.Barrier(3)
    return await asyncio.gather(*(meet("gather", number) for number in range(3)))


def test_gather_runs_async_checkpoints_side_by_side(client: KitaruClient) -> None:
    assert gathering.run().wait(timeout=30) == [0, 1, 2]


@kitaru.checkpoint
def with_a_loop() -> int:
    async def inner() -> int:
        return 7

    return asyncio.run(inner())


@kitaru.flow
def sync_around_loop() -> int:
    return with_a_loop()


@kitaru.flow
async def async_around_loop() -> int:
    return with_a_loop()


def test_a_sync_checkpoint_may_run_a_loop_of_its_own(client: KitaruClient) -> None:
    assert sync_around_loop.run().wait() == 7
    assert async_around_loop.run().wait() == 7


@kitaru.flow
async def with_a_timer() -> None:
    await asyncio.sleep(0.01)


def test_a_timer_of_asyncio_in_a_flow_is_refused(client: KitaruClient) -> None:
    with pytest.raises(KitaruUserCodeError, match=r"kitaru\.aio\.sleep"):
        with_a_timer.run().wait()


@kitaru.flow
def from_a_thread() -> str:
    caught: list[BaseException] = []
    context = __import__("contextvars").copy_context()

    def call() -> None:
        try:
            double(1)
        except KitaruUsageError as error:
            caught.append(error)

    thread = threading.Thread(target=context.run, args=(call,))
    thread.start()
    thread.join()
    return str(caught[0])


def test_a_durable_call_from_a_foreign_thread_is_refused(client: KitaruClient) -> None:
    assert ".submit()" in from_a_thread.run().wait()


@kitaru.checkpoint
def unstorable() -> Any:
    return threading.Lock()


@kitaru.flow
def keeps_a_lock() -> None:
    unstorable()


def test_an_output_that_cannot_be_stored_names_the_call(client: KitaruClient) -> None:
    with pytest.raises(KitaruUserCodeError, match=r"unstorable#1.*cannot be stored"):
        keeps_a_lock.run().wait()


def test_get_does_not_block(client: KitaruClient) -> None:
    gate = GATES["get"] = threading.Event()
    handle = gated.run("get")
    with pytest.raises(KitaruStateError, match="running"):
        handle.get()
    with pytest.raises(TimeoutError):
        handle.wait(timeout=0.05)
    gate.set()
    assert handle.wait() == "get"


GATES: dict[str, threading.Event] = {}


@kitaru.checkpoint
def pass_gate(name: str) -> str:
    GATES[name].wait()
    return name


@kitaru.flow
def gated(name: str) -> str:
    return pass_gate(name)


def test_an_idempotency_key_starts_once(client: KitaruClient) -> None:
    first = sums.run(3, idempotency_key="monday")
    second = sums.run(3, idempotency_key="monday")
    assert first.exec_id == second.exec_id
    assert second.wait() == first.wait()


RAN: list[str] = []


@kitaru.checkpoint
def noted(line: str) -> str:
    RAN.append(line)
    return line


@kitaru.flow(cache=True)
def cached(line: str) -> str:
    return noted(line)


def test_a_cached_output_is_used_by_later_executions(client: KitaruClient) -> None:
    RAN.clear()
    first = cached.run("same")
    first.wait()
    second = cached.run("same")
    second.wait()
    cached.run("other").wait()
    assert RAN == ["same", "other"]
    (call,) = client.executions.get(second.exec_id).checkpoints
    assert call.cached_from == f"{first.exec_id}/noted#1"


@kitaru.checkpoint
def hang(name: str) -> None:
    GATES[name].set()
    while True:
        threading.Event().wait(0.01)


@kitaru.flow
def hanging(name: str) -> None:
    hang(name)


def test_a_running_checkpoint_is_told_of_a_cancellation(client: KitaruClient) -> None:
    started = GATES["cancel"] = threading.Event()
    handle = hanging.run("cancel")
    started.wait()
    client.executions.cancel(handle.exec_id)
    with pytest.raises(KitaruExecutionError) as caught:
        handle.wait(timeout=30)
    assert (caught.value.status, caught.value.failure_origin) == ("cancelled", "cancelled")


@kitaru.checkpoint
async def hang_async(name: str) -> None:
    GATES[name].set()
    await asyncio.Event().wait()


@kitaru.flow
async def hanging_async(name: str) -> None:
    await hang_async(name)


def test_an_async_checkpoint_is_cancelled(client: KitaruClient) -> None:
    started = GATES["cancel async"] = threading.Event()
    handle = hanging_async.run("cancel async")
    started.wait()
    client.executions.cancel(handle.exec_id)
    with pytest.raises(KitaruExecutionError, match="cancelled"):
        handle.wait(timeout=30)


@kitaru.flow(timeout=0.3)
def too_long(name: str) -> None:
    hang(name)


def test_a_flow_has_a_timeout(client: KitaruClient) -> None:
    GATES["timeout"] = threading.Event()
    with pytest.raises(KitaruExecutionError) as caught:
        too_long.run("timeout").wait(timeout=30)
    assert caught.value.failure_origin == "timeout"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"on_unknown": "retry"}, "effect=True"),
        ({"effect": True, "on_unknown": "later"}, '"ask", "retry" or "fail"'),
        ({"effect": True, "cache": True}, "leave one of the two out"),
        ({"effect": True, "safe_errors": ("no class",)}, "exception classes"),
    ],
)
def test_options_of_effects_that_make_no_sense(options: dict[str, Any], told: str) -> None:
    with pytest.raises(KitaruUsageError, match=told):
        kitaru.checkpoint(**options)
