"""The clock, identifiers and chance, recorded once and the same on every resume."""

from __future__ import annotations

import random as _random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.errors import KitaruContextError
from kitaru.store.records import CallKind

__all__ = ["now", "random", "uuid4"]

T = TypeVar("T")


def now() -> datetime:
    """The time (UTC) at which the flow first came here. Inside a checkpoint: simply the present time.

    Raises:
        KitaruContextError: outside a flow.

    Example:
        >>> # in a flow: deadline = kitaru.now() + timedelta(hours=1)
    """
    return _once("now", _present)


def _present() -> datetime:
    scope = current_scope.get()
    assert scope is not None
    return datetime.fromtimestamp(scope.run.runner.clock(), UTC)


def uuid4() -> uuid.UUID:
    """A random UUID, drawn when the flow first came here. Inside a checkpoint: simply a new one.

    Raises:
        KitaruContextError: outside a flow.
    """
    return _once("uuid4", uuid.uuid4)


def random() -> float:
    """A random number in [0, 1), drawn when the flow first came here. Inside a checkpoint: simply a new one.

    Raises:
        KitaruContextError: outside a flow.
    """
    return _once("random", _random.random)


def _once(name: str, draw: Callable[[], T]) -> T:
    scope = current_scope.get()
    if isinstance(scope, CheckpointScope):
        return draw()
    if not isinstance(scope, FlowScope):
        raise KitaruContextError(
            f"kitaru.{name}() was called outside a flow, where nothing records it. Use the standard library there."
        )
    run = scope.run
    run.check_thread()
    return run.instant(run.issue(scope.branch, CallKind.VALUE, name), draw)
