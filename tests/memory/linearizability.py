"""A checker of histories: is there one order of all operations that explains what everybody saw?

The search of Wing and Gong ("Testing and verifying concurrent objects", 1993), with the memory of Lowe's improvement:
the next operation is one that began before every other pending one ended, and what was tried from a state is not tried
again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """Something that was done to a key, between two moments of one clock, and what came of it."""

    kind: str
    argument: Any
    outcome: Any
    began: int
    ended: int


Model = Callable[[Any, Operation], tuple[bool, Any]]


def register(state: Any, operation: Operation) -> tuple[bool, Any]:
    """A versioned register: whether the operation may have had this outcome in this state, and the state after it.

    The state is ``(version, value)``.
    """
    version, value = state
    if operation.kind == "get":
        return operation.outcome == [version, value], state
    if operation.kind == "set":
        return operation.outcome == version + 1, (version + 1, operation.argument)
    expected, new = operation.argument
    if expected == version:
        return operation.outcome == ["set", version + 1], (version + 1, new)
    return operation.outcome == ["conflict", version], state


def is_linearizable(history: Sequence[Operation], state: Any = (0, None), model: Model = register) -> bool:
    """Whether such an order exists."""
    sys.setrecursionlimit(10_000 + 10 * len(history))
    operations = sorted(history, key=lambda operation: operation.began)
    tried: set[tuple[frozenset[int], Any]] = set()

    def explained(pending: frozenset[int], state: Any) -> bool:
        if not pending:
            return True
        if (pending, state) in tried:
            return False
        tried.add((pending, state))
        first_end = min(operations[index].ended for index in pending)
        for index in sorted(pending):
            if operations[index].began > first_end:
                break
            possible, after = model(state, operations[index])
            if possible and explained(pending - {index}, after):
                return True
        return False

    return explained(frozenset(range(len(operations))), state)
