"""Long lists and dicts are stored as trees of parts: linear when they grow, shared where they are equal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads import PART_CODEC, decode, digest_of, encode, immutable
from tests.payloads import shapes
from tests.payloads.equality import alike, read


def message(number: int) -> dict[str, Any]:
    return {"role": "user", "number": number, "content": f"{number} ".ljust(2048, "x")}


def growth(first: int, last: int, wrap: Callable[[list[Any]], Any]) -> float:
    """How many times their own size the messages of some turns add, when every turn's value is stored."""
    messages = [message(number) for number in range(first)]
    stored: dict[str, int] = {part.digest: 0 for part in encode(wrap(messages)).parts}
    for number in range(first, last):
        messages.append(message(number))
        encoded = encode(wrap(messages), allow_pickle=False)
        stored.setdefault(encoded.digest, len(encoded.data))
        for part in encoded.parts:
            stored.setdefault(part.digest, len(part.data))
    return sum(stored.values()) / sum(len(json.dumps(each)) for each in messages[first:])


def test_a_thousand_turns_cost_a_thousand_messages() -> None:
    assert growth(0, 1000, lambda messages: messages) < 3


@pytest.mark.parametrize(
    "wrap",
    [
        lambda messages: {"messages": messages},
        lambda messages: shapes.History(messages=messages, title="t"),
        lambda messages: shapes.Report("t", [tuple(messages)]),
        lambda messages: {str(number): each for number, each in enumerate(messages)},
        lambda messages: dict(enumerate(messages)),
    ],
    ids=["dict", "model", "dataclass", "str keys", "int keys"],
)
def test_so_it_is_inside_of_something(wrap: Callable[[list[Any]], Any]) -> None:
    assert growth(100, 300, wrap) < 2.2


def test_model_messages_too() -> None:
    assert growth(100, 300, lambda messages: [shapes.Report("t", each) for each in messages]) < 2.2


@pytest.mark.parametrize("count", [17, 256, 257, 16 * 16 * 2 + 1])
def test_every_size_comes_back(count: int) -> None:
    value = [{"number": number, "text": "y" * 240} for number in range(count)]
    encoded = encode(value)
    assert encoded.codec == "tree"
    assert encoded.size == len(encoded.data) + sum(len(part.data) for part in encoded.parts)
    assert read(encoded) == value


@pytest.mark.parametrize("count", [200, 1536, 40_000])
def test_numbers_share_wide_leaves(count: int) -> None:
    value = [number / 7 for number in range(count)] + [None, True, 3]
    value[5] = 10**300
    encoded = encode(value)
    assert len(encoded.parts) <= count // 200 + 2
    assert alike(read(encoded), value)


def test_a_few_or_small_elements_stay_whole() -> None:
    assert encode(["x" * 500] * 16).codec == "json"
    assert encode([1] * 1000).codec == "json"


def test_a_short_list_that_grows_stores_its_long_elements_once() -> None:
    values = [[message(number) for number in range(count)] for count in range(3, 17)]
    encoded = [encode(value) for value in values]
    assert len({part.digest for one in encoded for part in one.parts}) == 16
    assert all(len(one.data) < 2000 for one in encoded)
    assert [read(one) for one in encoded] == values


def test_trees_in_trees() -> None:
    inner = [f"{number}".ljust(300) for number in range(50)]
    value = {"lists": [[*inner, str(number)] for number in range(40)], "set": set(inner), "same": inner}
    assert alike(read(encode(value, allow_pickle=False)), value)


def test_what_looks_like_a_mark_is_no_mark() -> None:
    value = [{"$": "tree", "n": 1, "h": 1, "v": ["#" * 40], "pad": "z" * 200}, {"$": "#" + "0" * 40}] * 30
    assert alike(read(encode(value)), value)


def test_leaves_and_nodes_are_narrow() -> None:
    for part in encode([message(number) for number in range(1100)]).parts:
        struct = json.loads(part.data)
        assert not isinstance(struct, list) or len(struct) <= 16
        assert part.digest == digest_of(PART_CODEC, part.data)


def test_parts_are_fetched_once_and_level_by_level() -> None:
    encoded = encode([message(number) for number in range(1100)])
    parts = dict(encoded.parts)
    asked: list[Sequence[str]] = []

    def fetch(digests: Sequence[str]) -> Mapping[str, bytes]:
        asked.append(digests)
        return {digest: parts[digest] for digest in digests}

    decode(encoded.codec, encoded.data, fetch=fetch)
    assert [len(digests) for digests in asked] == [5, 69, 1100]
    assert sorted(digest for digests in asked for digest in digests) == sorted(parts)


def test_a_missing_part_is_named() -> None:
    encoded = encode([message(number) for number in range(40)])
    with pytest.raises(KitaruBackendError, match=r"Part [0-9a-f]{40} of a stored value is missing"):
        decode(encoded.codec, encoded.data, fetch=lambda digests: {})


def test_parts_need_a_way_to_be_fetched() -> None:
    encoded = encode([message(number) for number in range(40)])
    with pytest.raises(KitaruUsageError, match="fetch="):
        decode(encoded.codec, encoded.data)


def test_a_tree_has_a_preview() -> None:
    encoded = encode([message(number) for number in range(40)])
    assert (encoded.preview or "").startswith('[{"role":"user","number":0,"content":"0 xxx')
    assert not immutable([message(0)])
