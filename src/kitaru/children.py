"""Flows started by flows: ``.run()`` in a flow's body is a durable call, ``.wait()`` on it suspends the parent."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, cast

from kitaru.backend import Backend
from kitaru.engine.scope import FlowScope, current_scope
from kitaru.engine.sync_flow import SyncRun
from kitaru.engine.waiting import Pending
from kitaru.errors import KitaruContextError, KitaruUsageError
from kitaru.store.records import CallKind, WaitKind, WaitRecord

R = TypeVar("R")


class ChildHandle(Generic[R]):
    """A child execution in its parent's body; waiting for it suspends the parent when the child does.

    Attributes:
        exec_id: the child's id, the same on every resume of the parent.
    """

    def __init__(
        self, backend: Backend, scope: FlowScope, exec_id: str, name: str, adopt: Callable[[], None]
    ) -> None:
        self._backend = backend
        self._scope = scope
        self._name = name
        self._adopt = adopt
        self.exec_id = exec_id

    def _refuse(self, what: str) -> KitaruContextError:
        return KitaruContextError(
            f"{what} of a child execution changes while the flow runs, so that a resume would see another value. "
            "Use .wait() (await the handle in an async flow), or read it in a checkpoint by KitaruClient()."
        )

    @property
    def status(self) -> Any:
        """Not to be read in a flow's body: raises ``KitaruContextError``."""
        raise self._refuse(".status")

    def get(self) -> R:
        """Not to be used in a flow's body: raises ``KitaruContextError``."""
        raise self._refuse(".get()")

    def _pending(self) -> Pending:
        run = self._scope.run
        scope = current_scope.get()
        branch = scope.branch if isinstance(scope, FlowScope) else self._scope.branch
        call = run.issue(branch, CallKind.CHILD_RESULT, f"{self._name}.wait")
        record = WaitRecord(
            call.call_id, WaitKind.CHILD, self._name, created_at=run.store.now(), child_exec_id=self.exec_id
        )
        return Pending(call, record, before_open=self._adopt)

    def wait(self, timeout: float | None = None) -> R:
        """The child's result, or its failure as an exception; durable, and recorded in the parent's journal.

        Raises:
            KitaruUsageError: in an async flow (await the handle there), or with a timeout.
        """
        run = self._scope.run
        if timeout is not None:
            raise KitaruUsageError("A child's .wait() in a flow takes no timeout: it would not be durable.")
        if not isinstance(run, SyncRun):
            raise KitaruUsageError("In an async flow write `await handle` to wait for a child.")
        return cast("R", run.open_wait(self._pending()).result())

    def __await__(self) -> Generator[Any, None, R]:
        run = self._scope.run
        from kitaru.engine.async_flow import AsyncRun  # with asyncio, which a sync flow does without

        if not isinstance(run, AsyncRun):
            raise KitaruUsageError("In a sync flow write `handle.wait()` to wait for a child.")
        return cast("Generator[Any, None, R]", run.open_wait(self._pending()).__await__())
