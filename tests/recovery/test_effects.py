"""Effects: a crash leaves an outcome known to be unknown, and nothing is done twice."""

from __future__ import annotations

from typing import Any

import pytest

from kitaru.errors import FailureOrigin, KitaruWaitValidationError
from kitaru.models import Execution
from tests.recovery.conftest import Stage
from tests.support.effect_sink import EffectSink
from tests.support.processes import wait_until

CLIENT = """
import json, os, urllib.error, urllib.request

SINK = os.environ["SINK"]

def post(body):
    key = kitaru.current().idempotency_key
    ask = urllib.request.Request(SINK, body.encode(), {"Idempotency-Key": key})
    with urllib.request.urlopen(ask) as answer:
        return json.load(answer)["receipt"]

def look_up(key):
    ran("look up")
    try:
        with urllib.request.urlopen(f"{SINK}/{key}") as answer:
            return json.load(answer)["receipt"]
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None
"""

PAYING = """
@kitaru.checkpoint
def before():
    ran("before")
    return "charge-7"

@kitaru.checkpoint(effect=True%s)
def refund(charge: str) -> str:
    ran("refund")
    block_until("may post")
    receipt = post(charge)
    ran("posted")
    block_until("may end")
    return receipt

@kitaru.flow
def paying():
    return refund(before())

if __name__ == "__main__":
    paying.run()
"""


@pytest.fixture
def paid(both: Stage, effect_sink: EffectSink, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose flows, also when the tests' own process launches them, reach the sink."""
    both.python.environment["SINK"] = effect_sink.url
    monkeypatch.setenv("SINK", effect_sink.url)
    return both


def killed_at(stage: Stage, line: str, options: str = "") -> str:
    """An execution whose runner was killed when the refund had come this far; it may go all the way afterwards."""
    if line == "posted":
        stage.open("may post")
    process, exec_id = stage.start(CLIENT + PAYING % options)
    stage.kill_at(process, line)
    stage.open("may post")
    stage.open("may end")
    return exec_id


def result(execution: Execution) -> Any:
    assert execution.result is not None
    return execution.result.load()


def asked(stage: Stage, exec_id: str) -> None:
    stage.resume(exec_id)
    stage.until(exec_id, "waiting")
    (wait,) = stage.client.executions.pending_waits(exec_id)
    assert wait.name == "refund#1"
    assert "may or may not have happened" in (wait.question or "")


@pytest.mark.parametrize("line", ["refund", "posted"])
def test_it_is_not_run_again_until_somebody_says_that_it_did_not_happen(
    paid: Stage, effect_sink: EffectSink, line: str
) -> None:
    exec_id = killed_at(paid, line)
    asked(paid, exec_id)
    assert paid.ran().count("refund") == 1
    paid.client.executions.input(exec_id, value={"happened": False})
    done = paid.until(exec_id, "completed")
    assert result(done) == "done charge-7"
    assert paid.ran().count("refund") == 2
    assert paid.ran().count("before") == 1
    assert list(effect_sink.effects.values()) == ["charge-7"]


def test_a_person_gives_the_result_of_what_happened(paid: Stage, effect_sink: EffectSink) -> None:
    exec_id = killed_at(paid, "posted")
    asked(paid, exec_id)
    with pytest.raises(KitaruWaitValidationError, match="result"):
        paid.client.executions.input(exec_id, value={"happened": True})
    with pytest.raises(KitaruWaitValidationError, match="string"):
        paid.client.executions.input(exec_id, value={"happened": True, "result": 5})
    paid.client.executions.input(exec_id, value={"happened": True, "result": "by hand"})
    done = paid.until(exec_id, "completed")
    assert result(done) == "by hand"
    assert paid.ran().count("refund") == 1
    assert len(effect_sink.requests) == 1


def test_retry_repeats_it_under_the_same_key(paid: Stage, effect_sink: EffectSink) -> None:
    exec_id = killed_at(paid, "posted", ', on_unknown="retry"')
    paid.resume(exec_id)
    assert result(paid.until(exec_id, "completed")) == "done charge-7"
    assert paid.ran().count("refund") == 2
    assert len(effect_sink.requests) == 2
    assert list(effect_sink.effects.values()) == ["charge-7"]


def test_fail_fails_with_origin_unknown_and_goes_on_failing(paid: Stage) -> None:
    exec_id = killed_at(paid, "posted", ', on_unknown="fail"')
    paid.resume(exec_id)
    for _ in range(2):
        failed = wait_until(lambda: _failed(paid, exec_id), "the failure")
        assert failed.failure is not None
        assert failed.failure.origin == FailureOrigin.UNKNOWN
        assert f"kitaru executions replay {exec_id}" in failed.failure.message
        paid.client.executions.retry(exec_id)
    assert paid.ran().count("refund") == 1


def _failed(stage: Stage, exec_id: str) -> Execution | None:
    found = stage.client.executions.get(exec_id)
    return found if found.status == "failed" else None


@pytest.mark.parametrize(("line", "runs"), [("refund", 2), ("posted", 1)])
def test_reconcile_asks_the_outside_system(
    paid: Stage, effect_sink: EffectSink, line: str, runs: int
) -> None:
    exec_id = killed_at(paid, line, ', on_unknown="fail", reconcile=look_up')
    paid.resume(exec_id)
    assert result(paid.until(exec_id, "completed")) == "done charge-7"
    assert paid.ran().count("look up") == 1
    assert paid.ran().count("refund") == runs
    assert len(effect_sink.requests) == 1


MANY = """
@kitaru.checkpoint(effect=True)
def send(number: int) -> str:
    ran(f"send {number}")
    receipt = post(str(number))
    if number == 2:
        block_until("may end")
    ran(f"sent {number}")
    return receipt

@kitaru.flow
def sending():
    futures = send.map(range(4))
    return [future.result() for future in futures]

@kitaru.checkpoint(effect=True)
async def asend(number: int) -> str:
    ran(f"send {number}")
    receipt = await asyncio.to_thread(post, str(number))
    while number == 2 and not (HERE / "may end").exists():
        await asyncio.sleep(0.02)
    ran(f"sent {number}")
    return receipt

@kitaru.flow
async def gathering():
    return await asyncio.gather(*(asend(number) for number in range(4)))

@kitaru.checkpoint
def plain(number):
    return number

@kitaru.flow
async def mixed():
    futures = send.map(range(4))
    return [future.result() for future in futures]

if __name__ == "__main__":
    %s.run()
"""


@pytest.mark.parametrize("flow", ["sending", "gathering", "mixed"])
def test_one_of_many_that_run_side_by_side(paid: Stage, effect_sink: EffectSink, flow: str) -> None:
    process, exec_id = paid.start(CLIENT + MANY % flow)
    wait_until(lambda: len(effect_sink.requests) == 4, "four posts")
    wait_until(lambda: len(paid.client.executions.get(exec_id).checkpoints) == 3, "three records")
    process.kill_group()
    paid.open("may end")
    paid.resume(exec_id)
    paid.until(exec_id, "waiting")
    paid.client.executions.input(exec_id, value={"happened": True, "result": "done 2"})
    assert result(paid.until(exec_id, "completed")) == ["done 0", "done 1", "done 2", "done 3"]
    assert len(effect_sink.requests) == 4
    assert not effect_sink.repeated()


RAISING = """
import itertools

@kitaru.checkpoint(effect=True, retries=1, backoff=0.01, safe_errors=(ConnectionRefusedError,))
def refund(kind: str) -> str:
    ran(kind)
    if kind == "safe" and kitaru.current().attempt == 1:
        raise ConnectionRefusedError("nobody there")
    if kind == "unsafe" and kitaru.current().attempt == 1:
        raise ConnectionResetError("cut off")
    return kind

@kitaru.flow
def raising(kind):
    return refund(kind)

if __name__ == "__main__":
    raising.run("safe").wait()
    raising.run("unsafe")
"""


def test_a_safe_error_is_retried_and_any_other_asks(both: Stage) -> None:
    both.python.start(both.write(RAISING)).succeed()
    exec_id = both.until_flow("raising")
    assert both.ran() == ["safe", "safe", "unsafe"]
    (wait,) = both.client.executions.pending_waits(exec_id)
    assert "ConnectionResetError('cut off')" in (wait.question or "")
    both.client.executions.input(exec_id, value={"happened": False})
    assert result(both.until(exec_id, "completed")) == "unsafe"
    assert both.ran() == ["safe", "safe", "unsafe", "unsafe"]


REPLAYED = """
@kitaru.checkpoint
def draft(text):
    ran("draft")
    return text

@kitaru.checkpoint(effect=True)
def send(text: str) -> str:
    ran(f"send {text}")
    return f"sent {text}"

@kitaru.flow
def mailing(text):
    return send(draft(text))

if __name__ == "__main__":
    mailing.run("hello").wait()
"""


@pytest.mark.parametrize(
    ("options", "new_text", "question", "sends"),
    [
        ({}, "hello", False, 0),
        ({}, "other", True, 1),
        ({"effects": "ask"}, "hello", True, 1),
        ({"effects": "live"}, "other", False, 1),
    ],
)
def test_a_replay_answers_effects_from_the_record_or_asks(
    stage: Stage, options: dict[str, str], new_text: str, question: bool, sends: int
) -> None:
    process, exec_id = stage.start(REPLAYED)
    process.succeed()
    replayed = stage.client.executions.replay(
        exec_id, from_="draft", overrides={"input.text": new_text}, **options
    )
    if question:
        stage.until(replayed.exec_id, "waiting")
        stage.client.executions.input(replayed.exec_id, value={"happened": False})
    assert result(stage.until(replayed.exec_id, "completed")) == f"sent {new_text}"
    assert len([line for line in stage.ran() if line.startswith("send")]) == 1 + sends


def test_a_question_that_is_aborted_fails_the_call_and_a_retry_asks_again(paid: Stage) -> None:
    exec_id = killed_at(paid, "posted")
    asked(paid, exec_id)
    paid.client.executions.abort_wait(exec_id)
    failed = wait_until(lambda: _failed(paid, exec_id), "the failure")
    assert failed.failure is not None
    paid.client.executions.retry(exec_id)
    paid.until(exec_id, "waiting")
    assert paid.ran().count("refund") == 1
    paid.client.executions.input(exec_id, value={"happened": True, "result": "by hand"})
    assert result(paid.until(exec_id, "completed")) == "by hand"
    assert paid.ran().count("refund") == 1


CACHED = """
@kitaru.checkpoint
def plain(text):
    ran("plain")
    return text

@kitaru.checkpoint(effect=True)
def send(text: str) -> str:
    ran("send")
    return text

@kitaru.flow(cache=True)
def caching():
    return send(plain("hello"))

if __name__ == "__main__":
    caching.run().wait()
    caching.run().wait()
"""


def test_an_effect_is_not_answered_from_another_executions_cache(stage: Stage) -> None:
    stage.python.start(stage.write(CACHED)).succeed()
    assert stage.ran() == ["plain", "send", "send"]
