"""JSON text: what Python's own encoder writes, since digests must not change with a dependency's version."""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from kitaru.errors import KitaruBackendError

if TYPE_CHECKING:
    from collections.abc import Callable

# type(), typed so that what it gives can be compared with classes without narrowing to unknown generics.
kind_of: Callable[[Any], Any] = type

SCALARS = frozenset({str, int, float, bool, NoneType})

# Cycles show up as RecursionError before they get here, so the encoder need not look for them.
dumps = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def loads(data: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        KitaruBackendError: it is not JSON, so what is stored is damaged.
    """
    try:
        return from_json(data)
    except ValueError:
        pass  # pydantic's parser is the faster one, but stops at 200 levels of nesting
    try:
        return json.loads(data)
    except ValueError as error:
        raise KitaruBackendError(
            f"A stored value is damaged: it is not JSON ({error}). Restore it from a backup."
        ) from error


def is_plain(value: Any) -> bool:
    """Whether ``value`` is JSON as it stands: exact types all the way down, and no key that marks a tag."""
    kind = kind_of(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        if "$" in value:
            return False
        for key in value:
            if type(key) is not str:
                return False
        children = value.values()
    elif kind is list:
        children = value
    else:
        return False
    for child in children:  # a generator would cost as much again, on the hot path
        if type(child) not in SCALARS and not is_plain(child):
            return False
    return True
