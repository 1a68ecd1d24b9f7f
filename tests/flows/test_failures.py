"""Failures are outcomes: retries, timeouts, exceptions that come back as their own class."""

from __future__ import annotations

import asyncio
import threading

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.errors import KitaruUserCodeError


class OutOfStockError(Exception):
    def __init__(self, item: str, left: int) -> None:
        super().__init__(f"{item}: {left} left")
        self.item = item


class UnstorableError(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


CALLS: list[str] = []


@kitaru.checkpoint
def order(item: str) -> str:
    CALLS.append(item)
    raise OutOfStockError(item, 0)


@kitaru.checkpoint
def odd() -> None:
    raise UnstorableError


@kitaru.checkpoint
def last() -> str:
    CALLS.append("last")
    return "end"


@kitaru.flow
def catching() -> list[str]:
    seen: list[str] = []
    try:
        order("tea")
    except OutOfStockError as error:
        seen.append(f"{type(error).__name__} {error.item}")
    try:
        odd()
    except KitaruUserCodeError as error:
        seen.append("stand-in" if "UnstorableError" in str(error) else "?")
    last()
    return seen


def test_an_exception_takes_the_same_path_again(client: KitaruClient) -> None:
    CALLS.clear()
    handle = catching.run()
    assert handle.wait() == ["OutOfStockError tea", "stand-in"]
    again = catching.replay(handle.exec_id, from_="last")
    assert again.wait() == ["OutOfStockError tea", "stand-in"]
    assert CALLS == ["tea", "last", "last"]


@kitaru.flow
def failing() -> None:
    last()
    order("coffee")


def test_a_failed_flow_raises_a_typed_error(client: KitaruClient) -> None:
    handle = failing.run()
    with pytest.raises(KitaruUserCodeError, match="kitaru executions retry") as caught:
        handle.wait()
    assert isinstance(caught.value.__cause__, OutOfStockError)
    assert (caught.value.exec_id, caught.value.failure_origin) == (handle.exec_id, "user_code")
    failure = client.executions.get(handle.exec_id).failure
    assert failure is not None
    assert failure.calls == ["order#1"]
    assert "raise OutOfStockError" in (failure.traceback or "")


@kitaru.checkpoint(retries=2, backoff=0.01)
def flaky() -> int:
    CALLS.append(kitaru.current().idempotency_key)
    if kitaru.current().attempt != 3:
        raise ConnectionError("not yet")
    return 3


@kitaru.flow
def retrying() -> int:
    return flaky()


def test_attempts_are_recorded_and_share_a_key(client: KitaruClient) -> None:
    CALLS.clear()
    handle = retrying.run()
    assert handle.wait() == 3
    (call,) = client.executions.get(handle.exec_id).checkpoints
    assert call.attempts == 3
    assert [attempt.failure.type for attempt in call.failed_attempts] == [
        "ConnectionError",
        "ConnectionError",
    ]
    assert len(CALLS) == 3
    assert len(set(CALLS)) == 1


@kitaru.flow(retries=1)
def retried_whole() -> str:
    last()
    return once()


@kitaru.checkpoint
def once() -> str:
    CALLS.append("once")
    if CALLS.count("once") == 1:
        raise ValueError("the first time")
    return "fine"


def test_a_flow_retries_only_what_failed(client: KitaruClient) -> None:
    CALLS.clear()
    assert retried_whole.run().wait() == "fine"
    assert CALLS == ["last", "once", "once"]


FOREVER = threading.Event()


@kitaru.checkpoint(timeout=0.05)
def slow() -> None:
    FOREVER.wait(30)


@kitaru.checkpoint(timeout=0.05)
async def slow_async() -> None:
    await asyncio.Event().wait()


@kitaru.flow
def slowly() -> str:
    try:
        slow()
    except TimeoutError as error:
        return str(error)
    return "?"


@kitaru.flow
async def slowly_async() -> str:
    try:
        await slow_async()
    except TimeoutError as error:
        return str(error)
    return "?"


def test_a_timeout_is_reported_at_once(client: KitaruClient) -> None:
    sync, awaited = slowly.run(), slowly_async.run()
    assert "timeout of 0.05 s" in sync.wait(timeout=20)
    assert "timeout of 0.05 s" in awaited.wait(timeout=20)
    FOREVER.set()
    failure = client.executions.get(sync.exec_id).checkpoints[0].failure
    assert failure is not None
    assert failure.origin == "timeout"
