"""The commit boundaries of an execution: where a process may die with something recorded, or not yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, cast

from kitaru.store.memory_records import MemoryWrite
from kitaru.store.protocol import Store
from kitaru.store.records import Append, Finish, NewExecution

Moment = Literal["before", "after"]

BOUNDARIES = (
    "create",
    "take",
    "append",
    "suspend",
    "settle",
    "reject",
    "finish",
    "void",
    "release",
    "reopen",
    "request_cancel",
    "merge_metadata",
    "merge_spec",
)
"""The store's methods that commit what correctness rests on. Heartbeats, starts and logs only serve the watching."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """One commit: the store's method, and what it commits, for people."""

    method: str
    what: str

    def __str__(self) -> str:
        return f"{self.method} {self.what}".rstrip()


Watch = Callable[[Boundary, Moment, tuple[Any, ...]], None]


def watched(store: Store, watch: Watch) -> Store:
    """The store, with ``watch`` called just before and just after each commit, with the method's arguments."""
    return cast("Store", _Watched(store, watch, BOUNDARIES))


class _Watched:
    def __init__(self, store: Any, watch: Watch, boundaries: tuple[str, ...]) -> None:
        self._store = store
        self._watch = watch
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._store, name)
        if name == "memory":
            return _Watched(plain, self._watch, ("write",))
        if name not in self._boundaries:
            return plain
        watch = self._watch

        @wraps(plain)
        def crossing(*args: Any, **kwargs: Any) -> Any:
            boundary = Boundary(name, _told(args[0]))
            watch(boundary, "before", args)
            value = plain(*args, **kwargs)
            watch(boundary, "after", args)
            return value

        setattr(self, name, crossing)
        return crossing


def _told(subject: object) -> str:
    if isinstance(subject, Append):
        parts = [f"{call.kind} {call.call_id}" for call in subject.calls]
        parts += [f"intent {intent.call_id} {intent.attempt}" for intent in subject.intents]
        parts += [f"attempt {attempt.call_id} {attempt.attempt}" for attempt in subject.attempts]
        parts += [f"{wait.kind} {wait.call_id}" for wait in subject.waits]
        return ", ".join(parts)
    if isinstance(subject, MemoryWrite):
        return f"memory {subject.key}"
    if isinstance(subject, NewExecution):
        return subject.flow_name
    if isinstance(subject, Finish):
        return subject.status.value
    return ""
