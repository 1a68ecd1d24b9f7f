"""Where the running code is."""

from __future__ import annotations

from dataclasses import dataclass

from kitaru.engine.calls import idempotency_key
from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.errors import KitaruContextError

__all__ = ["Current", "current", "current_execution_id"]


@dataclass(frozen=True, slots=True)
class Current:
    """The running execution and, inside a checkpoint, the running call.

    Attributes:
        exec_id: the execution, ``kr-…``.
        flow_name: its flow.
        call_id: the call's identity in the journal; None in the flow's body.
        checkpoint: the checkpoint's name; None in the flow's body.
        attempt: 1 for the first attempt; None in the flow's body.
    """

    exec_id: str
    flow_name: str
    call_id: str | None = None
    checkpoint: str | None = None
    attempt: int | None = None

    @property
    def idempotency_key(self) -> str:
        """A key for outside APIs: the same on every attempt of this call, over crashes too, and no other call's.

        Raises:
            KitaruContextError: in the flow's body, where no call runs.
        """
        if self.call_id is None:
            raise KitaruContextError("An idempotency key belongs to a call: read it inside a checkpoint.")
        return idempotency_key(self.exec_id, self.call_id)


def current() -> Current:
    """Where am I: ids, attempt number, idempotency key.

    Raises:
        KitaruContextError: outside a flow.

    Example:
        >>> # in a checkpoint: charge(card, key=kitaru.current().idempotency_key)
    """
    scope = current_scope.get()
    if isinstance(scope, CheckpointScope):
        run = scope.run
        return Current(run.exec_id, run.code.name, scope.call_id, scope.name, scope.attempt)
    if isinstance(scope, FlowScope):
        return Current(scope.run.exec_id, scope.run.code.name)
    raise KitaruContextError("kitaru.current() was called outside a flow: nothing runs here.")


def current_execution_id() -> str | None:
    """The running execution's id; None outside a flow."""
    scope = current_scope.get()
    return None if scope is None else scope.run.exec_id


_get_current_execution_id = current_execution_id
