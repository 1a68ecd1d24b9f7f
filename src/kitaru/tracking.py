"""Model and tool calls that a checkpoint's body makes: each is recorded when it ends, under the checkpoint's call.

What is recorded stays, whatever becomes of the attempt: a process that is killed after a model has answered has still
paid for the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Literal

from kitaru.engine.scope import CheckpointScope, current_scope
from kitaru.engine.vault import EMBEDDED_BYTES
from kitaru.errors import KitaruUsageError
from kitaru.payloads import describe
from kitaru.store.records import ArtifactRecord, Blob, JsonDict, SubcallRecord

__all__ = [
    "TrackedCall",
    "Usage",
    "add_observer",
    "begin",
    "check_budget",
    "current_checkpoint",
    "is_tracked",
    "model_calls_on_record",
    "tracked_elsewhere",
    "tracked_here",
]

Kind = Literal["llm_call", "tool_call"]

_tracked: ContextVar[bool] = ContextVar("kitaru_tracked", default=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of model calls; None where it is not known.

    Attributes:
        input_tokens: all that were sent, cached ones among them.
        output_tokens: all that came back, reasoning among them.
        cache_read_tokens: of the input, those that were read from the provider's cache.
        cache_write_tokens: of the input, those that were written to it.
        reasoning_tokens: of the output, those that the answer does not show.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class TrackedCall:
    """A model or tool call on its way; ``end`` records it, once."""

    def __init__(self, scope: CheckpointScope, name: str, kind: Kind, parent: str | None) -> None:
        self._scope = scope
        number = scope.run.journal.next_subcall(scope.call_id)
        self.child_id = f"{scope.call_id}/{name.replace('/', '_')}#{number}"
        self._record = SubcallRecord(
            self.child_id, scope.call_id, scope.attempt, kind, name, parent_id=parent
        )
        self._record.started_at = time.time()
        self._artifacts: list[ArtifactRecord] = []
        self._blobs: list[Blob] = []
        self._ended = False

    def keep(self, name: str, value: object, kind: str) -> None:
        """Keep a value of the call as an artifact: ``prompt``, ``response``, ``input`` or ``output``.

        A value that cannot be stored is kept as the text of its ``repr``: what was called already must be on record.
        """
        vault = self._scope.run.vault
        try:
            payload, blobs = vault.put(value, inline=EMBEDDED_BYTES)
        except KitaruUsageError:
            payload, blobs = vault.put(repr(value), inline=EMBEDDED_BYTES)
        self._blobs += blobs
        self._artifacts.append(ArtifactRecord(self.child_id, len(self._artifacts) + 1, name, kind, payload))

    def end(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        usage: Usage | None = None,
        cost_usd: float | None = None,
        error: BaseException | None = None,
        started_at: float | None = None,
        ended_at: float | None = None,
        info: JsonDict | None = None,
    ) -> None:
        """Commit the call with all that was kept. Only the first time counts.

        Args:
            provider: for example ``anthropic``.
            model: the model that answered, without the provider.
            usage: its tokens.
            cost_usd: its price in US dollars; None when nobody knows it.
            error: what it failed with.
            started_at: seconds since the epoch; default: when ``begin`` was called.
            ended_at: likewise; default: now.
            info: what else is worth knowing, as JSON.
        """
        if self._ended:
            return
        self._ended = True
        record = self._record
        record.status = "completed" if error is None else "failed"
        record.provider, record.model, record.cost_usd = provider, model, cost_usd
        for name, count in asdict(usage or Usage()).items():
            setattr(record, name, count)
        record.error = None if error is None else describe(error)
        record.info = info
        record.started_at = started_at or record.started_at
        record.ended_at = ended_at or time.time()
        if record.kind == "llm_call":
            self._scope.add_usage(record)
        self._scope.run.commit(subcalls=[record], artifacts=self._artifacts, blobs=self._blobs)
        self.give_up()

    def give_up(self) -> None:
        """Nobody waits for the call any more: what it has reserved of a budget is free again."""
        self._scope.run.budget.release(self.child_id)


def begin(
    name: str,
    kind: Kind,
    *,
    parent: str | None = None,
    scope: object = None,
    estimate: Callable[[], float | None] = lambda: None,
    made: bool = False,
) -> TrackedCall | None:
    """A model or tool call begins now, inside the current checkpoint; None outside of one.

    A model call that would begin above the execution's budget does not: the flow ends there, to be resumed.

    Args:
        name: what is called: ``llm``, or the tool's name.
        kind: ``llm_call`` or ``tool_call``.
        parent: the ``child_id`` of the call that it belongs to, if any.
        scope: what ``current_checkpoint`` gave, where the call is seen from another thread or task.
        estimate: what a model call may cost, in US dollars, as far as it can be told before; asked under a budget.
        made: the call was made already: it is recorded whatever the budget says.
    """
    inside = scope if isinstance(scope, CheckpointScope) else current_scope.get()
    if not isinstance(inside, CheckpointScope):
        return None
    call = TrackedCall(inside, name, kind, parent)
    if kind == "llm_call" and not made:
        inside.run.budget.reserve(call.child_id, estimate)
    return call


def check_budget(scope: object) -> None:
    """A model call is about to begin, which is recorded by ``begin(made=True)`` afterwards.

    Where that would be above the execution's budget, the flow ends here as with ``begin``.
    """
    if isinstance(scope, CheckpointScope):
        scope.run.budget.reserve("", lambda: None)


def current_checkpoint() -> object:
    """The checkpoint whose body runs here, to be handed to ``begin`` later; None outside of one."""
    scope = current_scope.get()
    return scope if isinstance(scope, CheckpointScope) else None


def model_calls_on_record(scope: object) -> list[SubcallRecord]:
    """The model calls of the execution around a checkpoint that are on record, in the order in which they began."""
    if not isinstance(scope, CheckpointScope):
        return []
    found = scope.run.store.reads.subcalls(scope.run.exec_id)
    return [call for call in found if call.kind == "llm_call"]


_observers: list[Callable[[Kind, str], None]] = []


def add_observer(leave: Callable[[Kind, str], None]) -> None:
    """``leave`` is told of each call that is recorded by who makes it, and that it may have seen begin already."""
    _observers.append(leave)


@contextmanager
def tracked_elsewhere(kind: Kind | None = None, name: str = "") -> Generator[None]:
    """While this lasts, model calls made here are recorded by who makes them: observers leave them alone.

    Args:
        kind: where an observer may have seen the call begin outside of this already: what kind of call it is.
        name: then, of a tool call, the tool's name.
    """
    for leave in _observers if kind is not None else ():
        assert kind is not None
        leave(kind, name)
    token = _tracked.set(True)
    try:
        yield
    finally:
        _tracked.reset(token)


@contextmanager
def tracked_here() -> Generator[None]:
    """Inside ``tracked_elsewhere``, around code of the user's, a tool's for example: observers see its calls again."""
    token = _tracked.set(False)
    try:
        yield
    finally:
        _tracked.reset(token)


def is_tracked() -> bool:
    """True inside ``tracked_elsewhere``, and not in ``tracked_here`` within that."""
    return _tracked.get()
