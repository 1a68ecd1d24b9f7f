"""Handles in a script that is being loaded to resume one of its executions: they start nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from kitaru.backend import Backend
from kitaru.failures import result_of
from kitaru.runners.top_level import LoadEnded
from kitaru.store.records import ExecutionRecord, Status


class InertHandle:
    """The handle of a ``.run()`` at a script's top level while the script is loaded.

    The script's n-th ``.run()`` is the n-th execution that its process started. What a finished one gave is told
    again, so that the load goes on as the script did; the first use of an unfinished one, or of the one that is to be
    resumed, ends the load there: the script had got no further.
    """

    def __init__(self, backend: Backend, target: ExecutionRecord | None, ordinal: int) -> None:
        self._backend = backend
        self._target = target
        self._ordinal = ordinal

    def _recorded(self) -> ExecutionRecord:
        target = self._target
        if target is None or target.launch_id is None or target.launch_ordinal == self._ordinal:
            raise LoadEnded
        found = self._backend.store.launched(target.launch_id, self._ordinal)
        if found is None or not found.status.is_finished:
            raise LoadEnded
        return found

    @property
    def exec_id(self) -> str:
        """The id of the execution that this ``.run()`` started."""
        target = self._target
        if target is None or target.launch_id is None:
            raise LoadEnded
        if target.launch_ordinal == self._ordinal:
            return target.exec_id
        found = self._backend.store.launched(target.launch_id, self._ordinal)
        if found is None:
            raise LoadEnded
        return found.exec_id

    @property
    def status(self) -> Status:
        """The status of a finished execution; ends the load otherwise."""
        return self._recorded().status

    def get(self) -> Any:
        """The recorded result; ends the load when there is none yet."""
        return result_of(self._recorded(), self._backend.vault)

    def wait(self, timeout: float | None = None) -> Any:
        """The recorded result; ends the load when there is none yet."""
        return self.get()

    def __await__(self) -> Generator[Any, None, Any]:
        return self.get()
        yield  # makes this a generator, as awaiting needs
