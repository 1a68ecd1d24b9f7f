"""Every error that Kitaru raises, as one tree.

::

    KitaruError
    ├── KitaruUsageError
    │   └── KitaruWaitValidationError
    ├── KitaruContextError
    ├── KitaruStateError
    │   └── KitaruConflictError
    ├── KitaruRuntimeError
    │   └── KitaruModelError
    │       └── KitaruModelOutputError
    ├── KitaruBackendError
    ├── KitaruLogRetrievalError
    ├── KitaruFeatureNotAvailableError
    └── KitaruExecutionError(exec_id, status, failure_origin)
        ├── KitaruUserCodeError
        ├── KitaruDivergenceError
        ├── KitaruWaitExpired
        └── KitaruBudgetExceeded

A message says what was wrong, where, and the next command to type.

Example:
    >>> from kitaru.errors import KitaruError, KitaruWaitValidationError
    >>> issubclass(KitaruWaitValidationError, KitaruError)
    True
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "FailureOrigin",
    "KitaruBackendError",
    "KitaruBudgetExceeded",
    "KitaruConflictError",
    "KitaruContextError",
    "KitaruDivergenceError",
    "KitaruError",
    "KitaruExecutionError",
    "KitaruFeatureNotAvailableError",
    "KitaruLogRetrievalError",
    "KitaruModelError",
    "KitaruModelOutputError",
    "KitaruRuntimeError",
    "KitaruStateError",
    "KitaruUsageError",
    "KitaruUserCodeError",
    "KitaruWaitExpired",
    "KitaruWaitValidationError",
]


class FailureOrigin(StrEnum):
    """What ended an execution that failed; set where the failure is raised, never guessed from a traceback."""

    USER_CODE = "user_code"
    RUNTIME = "runtime"
    BACKEND = "backend"
    DIVERGENCE = "divergence"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    CRASH_LOOP = "crash_loop"
    UNKNOWN = "unknown"


class KitaruError(Exception):
    """The root of all errors raised by Kitaru."""


class KitaruUsageError(KitaruError):
    """An API was called in a way that can never work: fix the call."""


class KitaruWaitValidationError(KitaruUsageError):
    """An answer does not match the wait's schema. Nothing was stored; the execution goes on waiting."""


class KitaruContextError(KitaruError):
    """An API was called in the wrong place: outside a flow, inside a checkpoint, or on a foreign thread."""


class KitaruStateError(KitaruError):
    """The named thing is not in a state that allows this: unknown id, already answered, still running."""


class KitaruConflictError(KitaruStateError):
    """A compare-and-set found another version than the one expected.

    Attributes:
        current_version: the version that it found; 0 where the key was never written.
    """

    def __init__(self, message: str, current_version: int = 0) -> None:
        super().__init__(message)
        self.current_version = current_version


class KitaruRuntimeError(KitaruError):
    """A runner could not do its work: a flow that no longer imports, a process that could not start."""


class KitaruModelError(KitaruRuntimeError):
    """A model could not be asked, or did not answer.

    Attributes:
        model: ``provider/model``.
        status_code: the HTTP status, where there is one.
        retryable: True where the same request may succeed later.
        retry_after: seconds that the provider asks to wait before that.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str | None = None,
        status_code: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.model = model
        self.status_code = status_code
        self.retryable = retryable
        self.retry_after = retry_after


class KitaruModelOutputError(KitaruModelError):
    """A model answered, and not with what was asked for."""


class KitaruBackendError(KitaruError):
    """The database or the object storage failed. What was acknowledged before is kept.

    Attributes:
        transient: True for a fault that may pass by itself (a full disk, a lock, a server that restarts): the same call
            can succeed later. Executions that run wait for that.
        unknown: True when it is not known whether the write that failed took place after all.
    """

    def __init__(self, message: str, *, transient: bool = False, unknown: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.unknown = unknown


class KitaruLogRetrievalError(KitaruError):
    """Logs could not be read."""


class KitaruFeatureNotAvailableError(KitaruError):
    """The feature needs an extra that is not installed, or a server that is not configured."""


class KitaruExecutionError(KitaruError):
    """An execution ended without a result.

    Attributes:
        exec_id: the execution, ``kr-…``; ``None`` while it is not known.
        status: ``"failed"`` or ``"cancelled"``.
        failure_origin: what ended it.
    """

    def __init__(
        self,
        message: str,
        *,
        exec_id: str | None = None,
        status: str = "failed",
        failure_origin: FailureOrigin = FailureOrigin.UNKNOWN,
    ) -> None:
        super().__init__(message)
        self.exec_id = exec_id
        self.status = status
        self.failure_origin = failure_origin


class KitaruUserCodeError(KitaruExecutionError):
    """The flow or a checkpoint raised; used where the original exception class cannot be rebuilt."""

    def __init__(
        self,
        message: str,
        *,
        exec_id: str | None = None,
        status: str = "failed",
        failure_origin: FailureOrigin = FailureOrigin.USER_CODE,
    ) -> None:
        super().__init__(message, exec_id=exec_id, status=status, failure_origin=failure_origin)


class KitaruDivergenceError(KitaruExecutionError):
    """The code asks for something else than what the journal recorded at the same call."""

    def __init__(
        self,
        message: str,
        *,
        exec_id: str | None = None,
        status: str = "failed",
        failure_origin: FailureOrigin = FailureOrigin.DIVERGENCE,
    ) -> None:
        super().__init__(message, exec_id=exec_id, status=status, failure_origin=failure_origin)


class KitaruWaitExpired(KitaruExecutionError):
    """A wait's ``expires`` passed without an answer; raised in the flow at the wait."""

    def __init__(
        self,
        message: str,
        *,
        exec_id: str | None = None,
        status: str = "failed",
        failure_origin: FailureOrigin = FailureOrigin.TIMEOUT,
    ) -> None:
        super().__init__(message, exec_id=exec_id, status=status, failure_origin=failure_origin)


class KitaruBudgetExceeded(KitaruExecutionError):
    """The next model call would exceed the execution's budget."""
