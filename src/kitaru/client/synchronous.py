"""``KitaruClient``."""

from __future__ import annotations

from functools import cached_property

from kitaru.backend import Backend, backend
from kitaru.client.artifacts import Artifacts
from kitaru.client.executions import Executions
from kitaru.client.memories import Memories
from kitaru.client.models import Models
from kitaru.client.secrets import Secrets
from kitaru.secrets import know_all


class KitaruClient:
    """Reads and manages executions in the database of the current settings.

    Attributes:
        executions: list, get, answer, resume, retry, cancel, replay.
        artifacts: list, get, diff, lineage.
        memories: get, set, delete, list, history, search, scopes, as_of, changes, purge, purge_scope, compact,
            compaction_log.
        models: register, list, get, delete.
        secrets: set, create, list, get, delete.

    Example:
        >>> client = KitaruClient()
        >>> # client.executions.latest(flow="review").status
    """

    @cached_property
    def _backend(self) -> Backend:
        return backend()

    @property
    def executions(self) -> Executions:
        """Executions."""
        know_all(self._backend)
        return Executions(self)

    @property
    def artifacts(self) -> Artifacts:
        """Artifacts."""
        know_all(self._backend)
        return Artifacts(self._backend)

    @property
    def memories(self) -> Memories:
        """Versioned memory."""
        know_all(self._backend)
        return Memories(self._backend)

    @cached_property
    def models(self) -> Models:
        """Names for models."""
        return Models(self._backend)

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets."""
        return Secrets(self._backend)

    @property
    def database_url(self) -> str:
        """The address of the store."""
        return self._backend.store.url

    def check(self) -> None:
        """Reach the database; raises ``KitaruBackendError`` when that fails."""
        self._backend.store.check()
