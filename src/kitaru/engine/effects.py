"""Effects: an intent is recorded before each attempt, so that an outcome nobody saw is known to be unknown."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from typing import Any, get_type_hints

from kitaru.engine.calls import Call, CallSpec, Outcome, idempotency_key
from kitaru.engine.run import Run
from kitaru.engine.steps import Ask, Attempt, Intend, Reconcile, Retry, Step, Steps
from kitaru.engine.waiting import Pending
from kitaru.errors import FailureOrigin, KitaruExecutionError
from kitaru.store.records import CallKind, JsonDict, WaitKind, WaitRecord

logger = logging.getLogger("kitaru")

DIED = "its runner died, or was cut off, before the outcome was recorded"


def effect_attempts(run: Run, call: Call) -> Steps:
    """Like the attempts of any call, but none follows one whose outcome is unknown, unless its policy says so."""
    assert call.spec is not None
    assert call.spec.effect is not None
    spec, effect = call.spec, call.spec.effect
    settled = yield from _look_back(run, call)
    if settled is not None:
        return settled
    number = run.journal.attempts.get(call.call_id, 0) + 1
    while True:
        if run.journal.doubtful_attempt(call.call_id) != number:
            yield Intend(number)
        outcome = yield Attempt(number)
        assert outcome is not None
        outcome.attempts = number
        if outcome.error is None:
            return outcome
        if isinstance(outcome.error, effect.safe_errors):
            if number > spec.retries:
                return outcome
            yield Retry(outcome, number, spec.backoff.seconds(number))
        else:
            outcome.unknown = True
            settled = yield from _settle(run, call, number, outcome)
            if settled is not None:
                return settled
            outcome.unknown = effect.retries_unknown
            asked = effect.on_unknown == "ask" and effect.reconcile is None
            yield Retry(outcome, number, 0.0 if asked else spec.backoff.seconds(number))
        number += 1


def _look_back(run: Run, call: Call) -> Generator[Step, Outcome | None, Outcome | None]:
    """What an earlier run of the execution, or the original of a replay, leaves open. None: the effect may be run."""
    assert call.spec is not None
    assert call.spec.effect is not None
    doubtful = run.journal.doubtful_attempt(call.call_id)
    if doubtful is None:
        if not run.journal.asks_before(call.call_id):
            return None
        return (yield from _ask(run, call, 0, _replay_question(run, call)))
    died = doubtful > run.journal.attempts.get(call.call_id, 0)
    if died and call.spec.effect.retries_unknown:
        # The same attempt once more: its intent stands, and there is nothing new to record.
        return None
    settled = yield from _settle(run, call, doubtful, None)
    if settled is None and died:
        yield Retry(_cut_off(run, call), doubtful, 0.0)
    return settled


def _settle(
    run: Run, call: Call, number: int, outcome: Outcome | None
) -> Generator[Step, Outcome | None, Outcome | None]:
    """Find out what became of an attempt. None: it did not happen, or may be repeated; run it again."""
    assert call.spec is not None
    assert call.spec.effect is not None
    effect = call.spec.effect
    why = DIED if outcome is None or outcome.error is None else f"it raised {outcome.error!r}"
    if effect.reconcile is not None:
        found = yield Reconcile(number)
        assert found is not None
        if found.error is None:
            if found.value is not None:
                return _happened(found.value, number, "reconcile")
            if outcome is None or number <= call.spec.retries:
                return None
            outcome.unknown = False
            return outcome
        why = f"{why}; reconcile failed too, with {found.error!r}"
        logger.warning("kitaru: execution %s, call %s: %s", run.exec_id, call.call_id, why)
    if effect.on_unknown == "ask":
        return (yield from _ask(run, call, number, f"{_subject(call)} may or may not have happened: {why}."))
    if effect.on_unknown == "fail":
        return _failed(run, call, number, why, outcome)
    if outcome is not None and number > call.spec.retries:
        return outcome
    return None


def _subject(call: Call) -> str:
    return f"Effect {call.name!r} (call {call.call_id})"


def _happened(value: Any, number: int, learnt: str) -> Outcome:
    now = time.time()
    return Outcome(value, attempts=number, started_at=now, ended_at=now, learnt=learnt)


def _failed(run: Run, call: Call, number: int, why: str, outcome: Outcome | None) -> Outcome:
    error = KitaruExecutionError(
        f"{_subject(call)} of execution {run.exec_id} may or may not have happened: {why}. It is not run again by "
        f"itself. Look it up outside (its idempotency key is {idempotency_key(run.exec_id, call.call_id)}); then type "
        f"`kitaru executions replay {run.exec_id} --overrides '{{\"checkpoint.{call.call_id}\": RESULT}}'`, or give "
        'the checkpoint on_unknown="ask" and type '
        f"`kitaru executions retry {run.exec_id}`.",
        exec_id=run.exec_id,
        failure_origin=FailureOrigin.UNKNOWN,
    )
    error.__cause__ = None if outcome is None else outcome.error
    now = time.time()
    return Outcome(error=error, attempts=number, started_at=now, ended_at=now, unknown=True)


def _cut_off(run: Run, call: Call) -> Outcome:
    """The outcome of an attempt that died and is to be run again."""
    now = time.time()
    error = KitaruExecutionError(
        f"{_subject(call)} is run again: {DIED}.",
        exec_id=run.exec_id,
        failure_origin=FailureOrigin.UNKNOWN,
    )
    return Outcome(error=error, started_at=now, ended_at=now)


def _replay_question(run: Run, call: Call) -> str:
    return (
        f"{_subject(call)} is reached by a replay of {run.execution.original_exec_id}, whose record does not answer "
        "it. It happened: its result is used, and nothing is done. It did not: it is done now."
    )


# ---------------------------------------------------------------- asking


def _ask(run: Run, call: Call, number: int, told: str) -> Generator[Step, Outcome | None, Outcome | None]:
    answer = yield Ask(question(run, call, number, told))
    assert answer is not None
    if answer.error is not None:
        answer.unknown = True
        answer.attempts = max(1, number)
        return answer
    return _happened(answer.value["result"], max(1, number), "answer") if answer.value["happened"] else None


def question(run: Run, call: Call, number: int, told: str) -> Pending:
    """A wait of its own in the journal, whose answer says whether an effect happened, and with what result."""
    assert call.spec is not None
    schema, validate = _verdict(call.spec)
    # Named by the call: of several that were cut off together each can be answered.
    asked = Call(f"{call.call_id}?{number}", call.position, CallKind.WAIT, call.call_id)
    record = WaitRecord(
        asked.call_id,
        WaitKind.INPUT,
        asked.name,
        f'{told} Did it happen? {{"happened": true, "result": …}} or {{"happened": false}}, which runs it.',
        schema,
        {
            "effect": call.call_id,
            "attempt": number,
            "idempotency_key": idempotency_key(run.exec_id, call.call_id),
        },
        created_at=run.store.now(),
    )
    return Pending(asked, record, validate=validate)


def _verdict(spec: CallSpec) -> tuple[JsonDict, Callable[[Any], Any]]:
    """The schema of an answer, and what makes the result one of the type that the checkpoint is annotated with."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError
    from pydantic_core import ValidationError, to_json

    result: TypeAdapter[Any]
    try:
        result = TypeAdapter(get_type_hints(spec.function).get("return", Any))
        form = result.json_schema()
    except (PydanticUserError, NameError, TypeError):
        # No type that JSON can say: the person's JSON is taken as it is.
        result = TypeAdapter(Any)
        form = {}
    try:
        result.validate_python(None)
        needed: JsonDict = {}
    except ValidationError:
        needed = {"if": {"properties": {"happened": {"const": True}}}, "then": {"required": ["result"]}}
    definitions = {"$defs": form.pop("$defs")} if "$defs" in form else {}
    schema: JsonDict = {
        "type": "object",
        "properties": {"happened": {"type": "boolean"}, "result": form},
        "required": ["happened"],
        "additionalProperties": False,
        **needed,
        **definitions,
    }

    def validate(answer: JsonDict) -> JsonDict:
        happened = bool(answer["happened"])
        return {
            "happened": happened,
            "result": result.validate_json(to_json(answer.get("result"))) if happened else None,
        }

    return schema, validate
