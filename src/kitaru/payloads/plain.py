"""Stored values as plain data, for readers: no class is looked up, so nothing of anybody's code runs."""

from __future__ import annotations

from typing import Any

from kitaru.payloads.jsontext import dumps, kind_of
from kitaru.payloads.tagged import from_tagged

_LISTS = frozenset({"tuple", "set", "frozenset", "deque"})
_PAIRS = frozenset({"dict", "ordered", "counter", "defaultdict"})
_OBJECTS = frozenset({"model", "dataclass"})
_HELD = frozenset({"derived", "enum", "flag", "class", "url", "text"})
_HIDDEN = "**********"


def plain(struct: Any) -> Any:
    """Tagged JSON without its classes: fields, elements and texts; dates, bytes and tables as what they are.

    Example:
        >>> plain({"$": "model", "c": "some.module:Dog", "v": {"name": "Rex", "legs": {"$": "tuple", "v": [1, 2]}}})
        {'name': 'Rex', 'legs': [1, 2]}
    """
    kind = kind_of(struct)
    if kind is list:
        return [plain(item) for item in struct]
    if kind is not dict:
        return struct
    tag = struct.get("$")
    if tag is None:
        return {key: plain(item) for key, item in struct.items()}
    if tag in _OBJECTS:
        return {**plain(struct["v"]), **plain(struct.get("x") or {})}
    if tag in _LISTS:
        return [plain(item) for item in struct["v"]]
    if tag in _PAIRS:
        return {_key(key): plain(item) for key, item in struct["v"]}
    if tag in _HELD:
        return plain(struct["v"])
    return _HIDDEN if tag == "secret" else from_tagged(struct)


def _key(struct: Any) -> Any:
    found = plain(struct)
    return dumps(found) if isinstance(found, (list, dict)) else found
