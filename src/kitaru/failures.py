"""How an execution's end is told to who asked for its result."""

from __future__ import annotations

from typing import Any

from kitaru.engine.vault import Vault
from kitaru.errors import (
    FailureOrigin,
    KitaruBudgetExceeded,
    KitaruDivergenceError,
    KitaruExecutionError,
    KitaruUserCodeError,
    KitaruWaitExpired,
)
from kitaru.payloads import rebuild
from kitaru.redaction import redactor
from kitaru.store.records import ExecutionRecord, Status

_OWN: tuple[type[KitaruExecutionError], ...] = (
    KitaruDivergenceError,
    KitaruWaitExpired,
    KitaruBudgetExceeded,
)


def result_of(execution: ExecutionRecord, vault: Vault) -> Any:
    """The result of a finished execution; raises its typed error when it has none.

    Raises:
        KitaruUserCodeError: the flow or a checkpoint raised; its own exception is the ``__cause__``.
        KitaruExecutionError: for every other end, with ``failure_origin`` set.
    """
    if execution.status is Status.COMPLETED:
        return None if execution.result is None else vault.get(execution.result)
    raise failure_of(execution, allow_import=vault.allow_pickle)


def failure_of(execution: ExecutionRecord, *, allow_import: bool) -> KitaruExecutionError:
    """The typed error of an execution that ended without a result.

    ``allow_import``: the module of the exception behind it may be imported.
    """
    failure = execution.failure or {}
    origin = FailureOrigin(failure.get("origin", FailureOrigin.UNKNOWN))
    status = execution.status.value
    exec_id = execution.exec_id
    described = failure.get("error")
    cause = rebuild(described, allow_import=allow_import) if described else None
    message = (
        f"Execution {exec_id} of flow {execution.flow_name!r} {status}: {failure.get('type', '')}: "
        f"{failure.get('message', 'no reason was recorded')} See `kitaru executions get {exec_id}`; go on from what is "
        f"recorded with `kitaru executions retry {exec_id}`."
    )
    kind: type[KitaruExecutionError] = KitaruExecutionError
    if isinstance(cause, _OWN):
        kind = type(cause)
    elif origin is FailureOrigin.USER_CODE:
        kind = KitaruUserCodeError
    if isinstance(cause, KitaruBudgetExceeded):
        message = f"{str(cause)[0].upper()}{str(cause)[1:]}"
    error = kind(redactor.text(message), exec_id=exec_id, status=status, failure_origin=origin)
    error.__cause__ = cause
    return error
