"""What all tools answer with: JSON types, bounded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]

LONGEST = 50_000
"""Characters of a value that is handed to a model as a whole."""


def item(model: BaseModel, *without: str) -> Json:
    """A model as JSON types."""
    return model.model_dump(mode="json", exclude=set(without))


def items(models: Iterable[BaseModel], *without: str) -> list[Json]:
    """Models as JSON types."""
    return [item(model, *without) for model in models]


def bounded(value: Any) -> Json:
    """A value as JSON types, or the beginning of its text where it is too long."""
    from pydantic_core import to_json, to_jsonable_python

    text = to_json(value, fallback=repr, bytes_mode="base64").decode()
    if len(text) <= LONGEST:
        return {"value": to_jsonable_python(value, fallback=repr, bytes_mode="base64")}
    return {"value_beginning": text[:LONGEST], "characters": len(text)}
