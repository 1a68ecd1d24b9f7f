"""``AsyncKitaruClient``: the sync client's methods, each on a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any, cast

from kitaru.client.synchronous import KitaruClient

_END = object()


class _Awaitable:
    """A namespace of the client whose methods are awaited, and whose iterators are read with ``async for``."""

    def __init__(self, namespace: object) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._namespace, name)

        @wraps(method)
        async def on_thread(*args: Any, **kwargs: Any) -> Any:
            import asyncio

            result: object = await asyncio.to_thread(method, *args, **kwargs)
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
        models: register, list, get, delete.

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
        return _Awaitable(self._client.executions)

    @property
    def artifacts(self) -> Any:
        """Artifacts."""
        return _Awaitable(self._client.artifacts)

    @property
    def models(self) -> Any:
        """Names for models."""
        return _Awaitable(self._client.models)
