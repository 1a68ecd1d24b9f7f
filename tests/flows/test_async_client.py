"""The async client is the sync one, awaited."""

from __future__ import annotations

import asyncio
import inspect

import kitaru
from kitaru import AsyncKitaruClient, KitaruClient


@kitaru.flow
def ask() -> bool:
    return kitaru.wait("approve")


async def steer(exec_id: str) -> tuple[str, list[str]]:
    client = AsyncKitaruClient()
    (execution,) = await client.executions.list()
    assert execution.exec_id == exec_id
    await client.executions.cancel(exec_id)
    events = [event.kind async for event in await client.executions.events(exec_id)]
    return (await client.executions.get(exec_id)).status.value, events


def test_it_reads_and_steers(client: KitaruClient) -> None:
    handle = ask.run()
    handle.until_suspended()
    assert asyncio.run(steer(handle.exec_id)) == ("cancelled", ["status"])


def test_every_method_is_there(client: KitaruClient) -> None:
    awaited = AsyncKitaruClient()
    for namespace in ("executions", "artifacts"):
        for name, _ in inspect.getmembers(getattr(client, namespace), inspect.ismethod):
            if not name.startswith("_"):
                assert inspect.iscoroutinefunction(getattr(getattr(awaited, namespace), name))
