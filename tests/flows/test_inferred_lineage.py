"""Values that the flow's own code worked on are linked where its source makes it provable, and marked as inferred."""

from __future__ import annotations

import asyncio
from typing import Any

import kitaru
from kitaru import KitaruClient
from kitaru.backend import backend


@kitaru.checkpoint
def make(number: int) -> str:
    return f"made {number}"


@kitaru.checkpoint
def check(text: str) -> bool:
    return len(text) > 3


@kitaru.checkpoint
def improve(text: str, hint: str = "") -> str:
    return text + "!"


@kitaru.checkpoint
def take(value: Any = None, other: Any = None, *rest: Any) -> str:
    return f"taken {value}"


def tidy(text: str) -> str:
    return text.strip().upper()


def made_in_a_function(number: int) -> str:
    return make(number) + make(number + 1)


@kitaru.flow
def expressions(topic: str) -> None:
    one, two = make(1), make(2)
    take(f"about {one}", two[:3], id="f-string and slice")
    take(one == two, not one, id="comparison")
    take(tidy(one) + "x", {"k": [two]}, id="function and container")
    take(one, two, id="as they are")
    take(f"on {topic}", 7, id="flow input")
    one = "something else"
    take(one, id="assigned anew")
    first, (second, *_) = two, (make(3), "x", "y")
    take(first + "", second + "", id="unpacked")
    take(other=f"{two}", id="by name")
    take("x", "y", one, two + "", id="the rest")


@kitaru.flow
def conditions(topic: str) -> str:
    text = make(1)
    ok = check(text)
    if ok:
        take("a", id="inside")
    else:
        take("b", id="never")
    if not check("x"):
        take("c", id="other branch")
        if topic:
            take("d", id="nested")
    good = check(f"{text}?") and take("e", id="short circuit")
    while not good:
        good = take("f", id="never in loop")
    state = "open"
    if check(text):
        state = "closed"
    take(state, id="decided")
    kept = []
    for word in ("one", "two"):
        if check(word):
            kept.append(word)  # noqa: PERF401 - how it is written is what is tested
    take(kept, id="filtered")
    if topic == "stop":
        return "stopped"
    return take("g", id="after")


@kitaru.flow
def loops() -> None:
    text = make(0)
    for _ in range(3):
        text = improve(text)
    take(text + "", id="the latest")
    for number in range(2):
        text = improve(f"{text} again")
        take(f"{text}", number, id=f"round {number}")
    texts = []
    for number in range(2):
        for _ in range(2):
            texts.append(make(number))  # noqa: PERF401 - how it is written is what is tested
        take(", ".join(texts), id=f"gathered {number}")
    summary = ""
    for number in range(2):
        summary += make(number)
    take(summary, id="added up")
    for number in range(2):
        parts = [make(number) for _ in range(2)]
        take("".join(parts), id=f"comprehended {number}")


@kitaru.flow
def side_by_side() -> None:
    futures = make.map(range(3))
    take("".join(future.result() for future in futures), id="mapped")
    one, two = make.submit(1), make.submit(2)
    take.submit(one, two, id="futures").result()
    take(made_in_a_function(5) + "", id="in a function")


@kitaru.checkpoint
async def amake(number: int) -> str:
    return f"made {number}"


async def worker(number: int) -> str:
    return await amake(number) + await amake(number + 1)


@kitaru.flow
async def asynchronous() -> None:
    one = await amake(0)
    both = await asyncio.gather(amake(1), amake(2))
    take(f"{one} {both}", id="awaited")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker(3))
        other = group.create_task(worker(5))
    take(task.result() + "", other.result() + "", id="tasks")

    async def inner(number: int) -> str:
        made = await amake(number)
        return take(f"{made} {one}", id=f"closure {number}")

    found = await asyncio.gather(*(inner(number) for number in (7, 8)))
    take(f"{found}", id="gathered")


def edges(exec_id: str, call: str, kind: str = "i") -> dict[str, list[str]]:
    for record in backend().store.reads.call_summaries(exec_id):
        if record.call_id.rpartition("/")[2] == f"take@{call}":
            return {name: form[kind] for name, form in (record.inputs or {}).items() if kind in form}
    raise AssertionError(call)


def conditions_of(exec_id: str, call: str) -> list[str]:
    (info,) = [
        r.info or {} for r in backend().store.reads.call_summaries(exec_id) if r.call_id == f"take@{call}"
    ]
    return info.get("if", [])


def ran(flow: Any, *args: Any) -> str:
    handle = flow.run(*args)
    handle.wait()
    return handle.exec_id


def test_expressions(client: KitaruClient) -> None:
    exec_id = ran(expressions, "tea")
    assert edges(exec_id, "f-string and slice") == {"value": ["make#1"], "other": ["make#2"]}
    assert edges(exec_id, "comparison") == {"value": ["make#1", "make#2"], "other": ["make#1"]}
    assert edges(exec_id, "function and container") == {"value": ["make#1"], "other": ["make#2"]}
    assert edges(exec_id, "as they are") == {}
    assert edges(exec_id, "as they are", "e") == {"value": ["make#1"], "other": ["make#2"]}
    assert edges(exec_id, "flow input") == {"value": ["input:topic"]}
    assert edges(exec_id, "assigned anew") == {}
    assert edges(exec_id, "unpacked") == {"value": ["make#2"], "other": ["make#3"]}
    assert edges(exec_id, "by name") == {"other": ["make#2"]}
    assert edges(exec_id, "the rest") == {"rest": ["make#2"]}


def test_conditions(client: KitaruClient) -> None:
    exec_id = ran(conditions, "tea")
    assert conditions_of(exec_id, "inside") == ["check#1"]
    assert conditions_of(exec_id, "other branch") == ["check#2"]
    assert conditions_of(exec_id, "nested") == ["input:topic", "check#2"]
    assert edges(exec_id, "decided") == {"value": ["check#4"]}
    assert edges(exec_id, "filtered") == {"value": ["check#5", "check#6"]}
    assert conditions_of(exec_id, "after") == ["input:topic"]


def test_loops(client: KitaruClient) -> None:
    exec_id = ran(loops)
    assert edges(exec_id, "the latest") == {"value": ["improve#3"]}
    assert edges(exec_id, "round 1") == {"value": ["improve#5"]}
    improved = [r for r in backend().store.reads.call_summaries(exec_id) if r.name == "improve"]
    assert [(r.inputs or {})["text"].get("i") for r in improved[3:]] == [["improve#3"], ["improve#4"]]
    assert edges(exec_id, "gathered 0") == {"value": ["make#2", "make#3"]}
    assert edges(exec_id, "gathered 1") == {"value": ["make#2", "make#3", "make#4", "make#5"]}
    assert edges(exec_id, "added up") == {"value": ["make#6", "make#7"]}
    assert edges(exec_id, "comprehended 0") == {"value": ["make#8", "make#9"]}
    assert edges(exec_id, "comprehended 1") == {"value": ["make#10", "make#11"]}


def test_side_by_side(client: KitaruClient) -> None:
    exec_id = ran(side_by_side)
    assert edges(exec_id, "mapped") == {"value": ["make#1", "make#2", "make#3"]}
    assert edges(exec_id, "futures", "e") == {"value": ["make#4"], "other": ["make#5"]}
    assert edges(exec_id, "in a function") == {"value": ["make#6", "make#7"]}


def test_async_flows(client: KitaruClient) -> None:
    exec_id = ran(asynchronous)
    assert edges(exec_id, "awaited") == {"value": ["amake#1", "amake#2", "amake#3"]}
    workers = [[f"worker~{n}/amake#1", f"worker~{n}/amake#2"] for n in (1, 2)]
    assert edges(exec_id, "tasks") == {"value": workers[0], "other": workers[1]}
    assert edges(exec_id, "closure 7") == {"value": ["amake#1", "inner~1/amake#1"]}
    assert set(edges(exec_id, "gathered")["value"]) >= {"inner~1/take@closure 7", "inner~2/take@closure 8"}
