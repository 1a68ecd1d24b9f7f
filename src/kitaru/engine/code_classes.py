"""What a class of the project contributes to the digest of the code that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from types import FunctionType
from typing import TYPE_CHECKING, Any

from kitaru.engine.code_values import Teller, is_model

if TYPE_CHECKING:
    from pydantic import BaseModel

# Where and how the class was written, or what Python and the libraries derive from the rest of it.
_DERIVED = frozenset(
    {
        *("__doc__", "__module__", "__qualname__", "__dict__", "__weakref__", "__firstlineno__"),
        *("__static_attributes__", "__signature__", "__orig_bases__", "__abstractmethods__", "_abc_impl"),
        *(
            "__dataclass_fields__",
            "__dataclass_params__",
            "__match_args__",
            "__class_vars__",
            "__parameters__",
        ),
        *("__annotate__", "__annotate_func__", "__annotations_cache__", "__conditional_annotations__"),
    }
)
_METHODS = (FunctionType, classmethod, staticmethod)


def class_parts(cls: type[Any], walk: Teller) -> Iterator[str]:
    """A class as texts: its name, bases, fields, and everything in its body."""
    token = walk.token
    yield f"class {cls.__name__}"
    bases: tuple[Any, ...] = vars(cls).get("__orig_bases__", cls.__bases__)
    yield from map(token, bases)
    yield token(type(cls))
    skipped = _DERIVED
    if issubclass(cls, Enum):
        for name, member in cls.__members__.items():
            yield f"{name}={token(member.value)}"
        skipped = _DERIVED.union(cls.__members__)
    if is_model(cls):
        yield from _model_parts(cls, walk)
    for name in sorted(vars(cls)):
        value = vars(cls)[name]
        tables = issubclass(cls, Enum) and _is_sunder(name) and not isinstance(value, _METHODS)
        if name not in skipped and not name.startswith("__pydantic_") and not tables:
            yield f"{name}={token(value)}"


def _is_sunder(name: str) -> bool:
    """Whether the name is one that ``enum`` keeps its own tables under."""
    return name.startswith("_") and name.endswith("_") and not name.startswith("__")


def _model_parts(cls: type[BaseModel], walk: Teller) -> Iterator[str]:
    if not {"__pydantic_fields__", "__private_attributes__", "__pydantic_decorators__"} <= vars(cls).keys():
        return  # still being built, or BaseModel itself
    for name, field in cls.__pydantic_fields__.items():
        for slot in type(field).__slots__:
            if not slot.startswith("_"):
                yield f"{name}.{slot}={walk.token(getattr(field, slot, None))}"
    for name, private in cls.__private_attributes__.items():
        yield f"{name}={walk.token(private.default)} {walk.token(private.default_factory)}"
    decorators = cls.__pydantic_decorators__
    for group in fields(decorators):
        for name, decorator in getattr(decorators, group.name).items():
            yield f"{group.name}.{name}={walk.token(decorator.info)}"
