"""Which earlier values an argument is known to be, or to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

import kitaru
from kitaru import KitaruClient
from kitaru.backend import backend

LONG = "long enough that nobody gives the same by chance " * 2


class Page(BaseModel):
    title: str
    body: str


@dataclass
class Pair:
    left: Any
    right: Any


@kitaru.checkpoint
def make(number: int) -> str:
    return f"{number} {LONG}"


@kitaru.checkpoint
def page(title: str) -> Page:
    return Page(title=title, body=LONG + title)


@kitaru.checkpoint
def take(value: Any) -> int:
    return 1


@kitaru.flow
def nesting(topic: str, shape: str) -> None:
    one, two, three = make(1), make(2), page("x")
    texts = [make(number) for number in range(3, 203)] if shape == "many" else []
    value = {
        "list": [one, two],
        "tuple": (1, one),
        "dict": {"a": {"b": [two]}},
        "set": {one, two},
        "dataclass": Pair(one, {"topic": topic}),
        "model": [Page(title="t", body=one)],
        "held model": [three],
        "input": topic,
        "many": texts,
        "none": ["short", 1, None],
    }[shape]
    take(value)


def form_of(exec_id: str) -> dict[str, Any]:
    (record,) = [r for r in backend().store.reads.call_summaries(exec_id) if r.name == "take"]
    return (record.inputs or {})["value"]


@pytest.mark.parametrize(
    ("shape", "held"),
    [
        ("list", ["make#1", "make#2"]),
        ("tuple", ["make#1"]),
        ("dict", ["make#2"]),
        ("set", ["make#1", "make#2"]),
        ("dataclass", ["input:topic", "make#1"]),
        ("model", ["make#1"]),
        ("held model", ["page#1"]),
        ("input", ["input:topic"]),
    ],
)
def test_what_an_argument_holds(client: KitaruClient, shape: str, held: list[str]) -> None:
    handle = nesting.run("a topic " + LONG, shape)
    handle.wait()
    assert form_of(handle.exec_id)["e"] == held


def test_a_long_list_is_looked_at_from_both_ends(client: KitaruClient) -> None:
    handle = nesting.run("tea", "many")
    handle.wait()
    held = form_of(handle.exec_id)["e"]
    assert len(held) == 64
    assert "make#3" in held


def test_what_came_from_nowhere_has_no_origin(client: KitaruClient) -> None:
    handle = nesting.run("tea", "none")
    handle.wait()
    assert "e" not in form_of(handle.exec_id)
