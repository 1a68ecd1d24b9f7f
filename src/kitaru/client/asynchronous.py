"""``AsyncKitaruClient``: the sync client's methods, each on a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any, cast

from kitaru.client.artifacts import Artifacts
from kitaru.client.executions import Executions
from kitaru.client.memories import Memories
from kitaru.client.models import Models
from kitaru.client.secrets import Secrets
from kitaru.client.synchronous import KitaruClient

_END = object()


class _Awaitable:
    """A namespace of the client whose methods are awaited, and whose iterators are read with ``async for``."""

    def __init__(self, kind: type, open_namespace: Callable[[], object]) -> None:
        self._kind = kind
        self._open = open_namespace

    def __getattr__(self, name: str) -> Any:
        @wraps(getattr(self._kind, name))
        async def on_thread(*args: Any, **kwargs: Any) -> Any:
            import asyncio

            # Opened there too: the database is asked for it.
            result: object = await asyncio.to_thread(lambda: getattr(self._open(), name)(*args, **kwargs))
            return _stream(cast("Iterator[Any]", result)) if isinstance(result, Iterator) else result

        return on_thread


async def _stream(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    import asyncio

    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item


class AsyncKitaruClient:
    """As ``KitaruClient``, with every method awaited.

    Attributes:
        executions: list, get, answer, resume, retry, cancel, replay.
        artifacts: list, get, diff, lineage.
        memories: get, set, delete, list, history, search, scopes, as_of, changes, purge, purge_scope, compact,
            compaction_log.
        models: register, list, get, delete.
        secrets: set, create, list, get, delete.

    Example:
        >>> client = AsyncKitaruClient()
        >>> # execution = await client.executions.get("kr-0123456789abcdef")
        >>> # async for event in await client.executions.events(execution.exec_id): print(event.kind)
    """

    def __init__(self) -> None:
        client = KitaruClient()
        self._client = client

    @property
    def executions(self) -> Any:
        """Executions."""
        return _Awaitable(Executions, lambda: self._client.executions)

    @property
    def artifacts(self) -> Any:
        """Artifacts."""
        return _Awaitable(Artifacts, lambda: self._client.artifacts)

    @property
    def memories(self) -> Any:
        """Versioned memory."""
        return _Awaitable(Memories, lambda: self._client.memories)

    @property
    def models(self) -> Any:
        """Names for models."""
        return _Awaitable(Models, lambda: self._client.models)

    @property
    def secrets(self) -> Any:
        """Secrets."""
        return _Awaitable(Secrets, lambda: self._client.secrets)
