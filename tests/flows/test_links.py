"""What an execution took from others: by ``load``, and from their cache."""

from __future__ import annotations

import kitaru
from kitaru import KitaruClient
from kitaru.backend import backend


@kitaru.checkpoint
def draft(topic: str) -> str:
    kitaru.save("notes", f"notes on {topic}")
    return f"a draft on {topic}"


@kitaru.checkpoint
def extend(exec_id: str) -> str:
    again = kitaru.load(exec_id, "draft")
    return kitaru.load(exec_id, "draft") + again + kitaru.load(exec_id, "notes")


@kitaru.checkpoint
async def extend_async(exec_id: str) -> str:
    return kitaru.load(exec_id, "draft")


@kitaru.checkpoint(retries=1, backoff=0)
def fails_after_loading(exec_id: str) -> str:
    raise ValueError(kitaru.load(exec_id, "draft"))


@kitaru.flow(cache=True)
def drafting(topic: str) -> str:
    return draft(topic)


@kitaru.flow
def extending(exec_id: str) -> str:
    return extend(exec_id)


@kitaru.flow
async def extending_async(exec_id: str) -> str:
    return await extend_async(exec_id)


@kitaru.flow
def failing(exec_id: str) -> str:
    try:
        return fails_after_loading(exec_id)
    except ValueError as error:
        return str(error)


def links(exec_id: str) -> list[tuple[str, str, str]]:
    found = backend().store.reads.links_from(exec_id)
    return [(link.call_id, link.kind, link.source) for link in found if link.call_id]


def test_what_a_checkpoint_loads_is_linked_once(client: KitaruClient) -> None:
    source = drafting.run("tea")
    source.wait()
    handle = extending.run(source.exec_id)
    handle.wait()
    assert links(handle.exec_id) == [
        ("extend#1", "load", f"{source.exec_id}/draft#1/output"),
        ("extend#1", "load", f"{source.exec_id}/draft#1/saved/1"),
    ]


def test_an_async_checkpoint_is_linked_too(client: KitaruClient) -> None:
    source = drafting.run("tea")
    source.wait()
    handle = extending_async.run(source.exec_id)
    handle.wait()
    assert links(handle.exec_id) == [("extend_async#1", "load", f"{source.exec_id}/draft#1/output")]


def test_a_call_that_failed_has_made_nothing_of_what_it_loaded(client: KitaruClient) -> None:
    source = drafting.run("tea")
    source.wait()
    handle = failing.run(source.exec_id)
    handle.wait()
    assert links(handle.exec_id) == []


def test_an_answer_from_the_cache_is_linked(client: KitaruClient) -> None:
    source = drafting.run("tea")
    source.wait()
    handle = drafting.run("tea")
    handle.wait()
    assert links(handle.exec_id) == [("draft#1", "cache", f"{source.exec_id}/draft#1/output")]
