"""What a value that code reads contributes: constants by their content, state by its type alone."""

from __future__ import annotations

import functools
import re
import sys
import types
import typing
from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import Enum
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, cast

from kitaru.engine.code_bytecode import constant_text
from kitaru.engine.code_origins import module_of
from kitaru.errors import KitaruUsageError
from kitaru.payloads import encode
from kitaru.payloads.jsontext import kind_of

if TYPE_CHECKING:
    from pydantic import BaseModel


class Teller(Protocol):
    """The walk that a value is met on."""

    def token(self, value: Any) -> str:
        """The text for another value."""
        ...

    def inside(self, value: object) -> AbstractContextManager[bool]:
        """Around saying what ``value`` holds; false when it is being said already."""
        ...


_ATOMS = frozenset(
    {
        *(types.NoneType, bool, int, float, complex, str, bytes, bytearray, range, slice),
        *(types.EllipsisType, types.NotImplementedType),
    }
)
_MEMBERS: dict[type[Any], tuple[str, ...]] = {
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    functools.cached_property: ("func",),
    property: ("fget", "fset", "fdel"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    re.Pattern: ("pattern", "flags"),
}
_PAIRED: tuple[Any, ...] = (dict, types.MappingProxyType)
_ORDERED: tuple[Any, ...] = (list, tuple)
_UNORDERED: tuple[Any, ...] = (set, frozenset)
_BUILT_IN: tuple[Any, ...] = (*_PAIRED, *_ORDERED, *_UNORDERED, int, float, str, bytes, complex)
# Types from elsewhere that are data, and that the payloads can say; nothing else is asked, since asking runs its code.
_DATA = frozenset(
    {
        *("collections", "datetime", "decimal", "pathlib", "uuid", "zoneinfo"),
        *("numpy", "pandas", "polars", "pyarrow", "pydantic", "pydantic_core"),
    }
)
CODE_KINDS: frozenset[type[Any]] = frozenset({FunctionType, MethodType, functools.partial})


def say_value(value: Any, walk: Teller) -> str:
    """The text for a value that is no function, class or module."""
    kind = kind_of(value)
    if kind in _ATOMS:
        return constant_text(value)
    with walk.inside(value) as first:
        if not first:
            return "itself"
        return "(" + " ".join(_parts(value, kind, walk)) + ")"


def is_model(cls: type[Any]) -> TypeGuard[type[BaseModel]]:
    """True for a pydantic model's class: there is none as long as nobody has imported pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def _parts(value: Any, kind: type[Any], walk: Teller) -> Iterator[str]:
    token = walk.token
    yield token(kind)
    if issubclass(kind, Enum):
        yield repr(value._name_)
    elif kind in _MEMBERS:
        yield from (token(getattr(value, name)) for name in _MEMBERS[kind])
    elif is_model(kind):
        yield from map(token, (value.__dict__, value.__pydantic_extra__, value.__pydantic_private__))
    elif hasattr(kind, "__dataclass_fields__"):
        for name in kind.__dataclass_fields__:
            yield f"{name}={token(getattr(value, name, None))}"
    elif issubclass(kind, _BUILT_IN):
        yield from _built_in_parts(value, kind, walk)
    elif module_of(kind) == "typing" or kind in (types.GenericAlias, types.UnionType):
        yield from _typing_parts(value, walk)
    elif module_of(kind).partition(".")[0] in _DATA:
        yield _data_text(value)
    else:
        yield from _state_parts(value, walk)


def _built_in_parts(value: Any, kind: type[Any], walk: Teller) -> Iterator[str]:
    """What a built-in container holds, or an instance of a subclass of a built-in type."""
    base = next(base for base in _BUILT_IN if issubclass(kind, base))
    if base in _PAIRED:
        for key, item in base.items(value):
            yield f"{walk.token(key)}: {walk.token(item)}"
    elif base in _ORDERED:
        yield from map(walk.token, base.__iter__(value))
    elif base in _UNORDERED:
        yield from map(walk.token, sorted(base.__iter__(value), key=_order))
    else:
        yield base.__repr__(value)


def _order(item: Any) -> str:
    """A key that orders a set alike in every process."""
    if isinstance(item, type | FunctionType):
        return f"{item.__module__}.{item.__qualname__}"
    if isinstance(item, tuple):
        return repr([_order(part) for part in cast("tuple[Any, ...]", item)])
    if isinstance(item, frozenset):
        return repr(sorted(_order(part) for part in cast("frozenset[Any]", item)))
    return f"{type(item).__qualname__} {item!r}"


def _typing_parts(value: Any, walk: Teller) -> Iterator[str]:
    origin = typing.get_origin(value)
    if origin is None:
        # A type variable, a new type, a reference by name: all of them show what they are.
        yield repr(value)
        yield walk.token(getattr(value, "__supertype__", None))
        return
    yield walk.token(origin)
    yield from map(walk.token, typing.get_args(value))
    yield from map(walk.token, getattr(value, "__metadata__", ()))


def _data_text(value: Any) -> str:
    try:
        return encode(value, allow_pickle=False).digest
    except KitaruUsageError:  # what cannot be said without pickle is no constant
        return "state"


def _state_parts(value: Any, walk: Teller) -> Iterator[str]:
    """A client, a lock, an object of a class of the project's own: its type, and functions that it was given."""
    yield "state"
    held = attributes_of(value)
    for name in sorted(name for name in held if type(held[name]) in CODE_KINDS or name == "__wrapped__"):
        yield f"{name}={walk.token(held[name])}"


def attributes_of(value: object) -> dict[str, Any]:
    """The attributes that ``value`` itself holds, without running any code of its class."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return cast("dict[str, Any]", held) if type(held) is dict else {}
