"""What "equal and of the same type" means, all the way down."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from kitaru.payloads import Encoded, decode, encode


def round_trip(value: Any) -> Any:
    encoded = encode(value, allow_pickle=False)
    return read(encoded)


def read(encoded: Encoded) -> Any:
    parts = dict(encoded.parts)
    return decode(
        encoded.codec, encoded.data, fetch=lambda wanted: {digest: parts[digest] for digest in wanted}
    )


def alike(one: Any, other: Any) -> bool:
    """Equal with the same types at every depth; NaN is NaN, and 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        same_sign = math.copysign(1, one) == math.copysign(1, other)
        return (math.isnan(one) and math.isnan(other)) or (float.__eq__(one, other) and same_sign)
    if isinstance(one, complex):
        return alike(one.real, other.real) and alike(one.imag, other.imag)
    if isinstance(one, Decimal):
        return str(one) == str(other)
    if isinstance(one, BaseModel):
        return (
            alike(dict(one), dict(other))
            and one.model_fields_set == other.model_fields_set
            and alike(one.__pydantic_private__, other.__pydantic_private__)
        )
    if is_dataclass(one) and not isinstance(one, type):
        return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, Mapping):
        return len(one) == len(other) and all(
            alike(mine, theirs) for mine, theirs in zip(one.items(), other.items(), strict=True)
        )
    if isinstance(one, set | frozenset):
        # Elements have no order to compare them in: by text and type.
        return sorted(map(_mark, one)) == sorted(map(_mark, other))
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def _mark(value: Any) -> str:
    return f"{type(value).__qualname__} {value!r}"
