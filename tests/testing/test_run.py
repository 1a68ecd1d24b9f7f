"""``kitaru.testing.run``: in memory, waits answered, time skipped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import kitaru
from kitaru import aio
from kitaru.errors import KitaruStateError, KitaruUsageError, KitaruWaitExpired, KitaruWaitValidationError
from kitaru.store.records import WaitRecord
from kitaru.testing import FakeClock, run


@kitaru.checkpoint(retries=2, backoff=3600)
def flaky() -> int:
    attempt = kitaru.current().attempt
    assert attempt is not None
    if attempt < 3:
        raise ValueError("not yet")
    return attempt


@kitaru.flow
def patient(title: str) -> list[object]:
    began = kitaru.now()
    kitaru.sleep(timedelta(days=3))
    slept = kitaru.now() - began
    try:
        kitaru.wait("never", expires=7200)
        expired = False
    except KitaruWaitExpired:
        expired = True
    score = kitaru.wait("score", schema=int, timeout=3600)
    return [title, slept.days, expired, score, flaky()]


@kitaru.flow
async def side_by_side() -> list[int]:
    async def asked(name: str) -> int:
        await aio.sleep(3600)
        return await aio.wait(name, schema=int)

    return list(await asyncio.gather(asked("one"), asked("two")))


@kitaru.flow
def child() -> str:
    return kitaru.wait("who", schema=str)


@kitaru.flow
def parent() -> str:
    return "hello " + child.run().wait()


def test_days_pass_at_once() -> None:
    clock = FakeClock(datetime(2031, 5, 1, tzinfo=UTC))
    assert run(patient, "x", answers={"score": 4}, clock=clock).get() == ["x", 3, True, 4, 3]
    assert clock.now() == datetime(2031, 5, 4, 2, tzinfo=UTC)


def test_answers_may_be_functions_of_the_wait() -> None:
    def answer(wait: WaitRecord) -> int:
        return len(wait.name)

    assert run(
        side_by_side, answers={"one": answer, "two#1": 5, "side_by_side": 0, "asked~2/two#1": 7}
    ).get() == [3, 7]


def test_a_child_is_answered_too() -> None:
    assert run(parent, answers={"who": "you"}).get() == "hello you"


def test_an_answer_that_is_missing_is_named() -> None:
    with pytest.raises(KitaruStateError, match=r'answers=\{"score": …\}'):
        run(patient, "x")


def test_an_answer_that_does_not_match_is_refused() -> None:
    with pytest.raises(KitaruWaitValidationError, match="integer"):
        run(patient, "x", answers={"score": "high"})


@pytest.mark.usefixtures("kitaru_home")
def test_nothing_is_left_where_executions_are_kept() -> None:
    handle = run(parent, answers={"who": "you"})
    assert handle.status.is_successful
    with pytest.raises(KitaruStateError):
        kitaru.KitaruClient().executions.get(handle.exec_id)


def test_a_clock_does_not_run_backwards() -> None:
    clock = FakeClock()
    clock.advance(60)
    with pytest.raises(KitaruUsageError, match="backwards"):
        clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(KitaruUsageError, match="time zone"):
        clock.set(datetime(2040, 1, 1))
