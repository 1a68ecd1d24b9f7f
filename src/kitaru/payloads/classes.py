"""Classes by name: ``module:qualname``, checked to lead back to the same class."""

from __future__ import annotations

import sys
import types
from functools import reduce
from importlib import import_module
from typing import Any, get_args, get_origin

from kitaru.errors import KitaruRuntimeError

Ref = str | list[Any] | None
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement or the like, not a static C type


class UnsayableError(Exception):
    """A codec has no faithful form for this value; another has to take it. Never leaves this package."""

    def __init__(self, value: object, reason: str) -> None:
        super().__init__(f"a value of type {type_name(type(value))}: {reason}")


def is_static(cls: type) -> bool:
    """Whether ``cls`` is a static C type, whose instances have state that no ``__dict__`` shows."""
    return not cls.__flags__ & _HEAP_TYPE


def type_name(cls: type[Any]) -> str:
    """The name of a class as shown to people.

    Example:
        >>> type_name(str), type_name(UnsayableError)
        ('str', 'kitaru.payloads.classes.UnsayableError')
    """
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def ref_of(cls: Any) -> Ref:
    """How ``cls`` is written down: a name, or a list of a generic's origin and its arguments.

    Raises:
        UnsayableError: the name does not lead back to this very class.
    """
    if cls is types.NoneType or cls is None:
        return None
    ref = _written(cls)
    found = resolve(ref) if isinstance(ref, list) else _look_up(ref)
    # Aliases such as list[int] are made anew each time: they are equal, classes are identical.
    if found is not cls and (isinstance(cls, type) or found != cls):
        raise UnsayableError(cls, f"its name {ref!r} leads to something else")
    return ref


def _written(cls: Any) -> str | list[Any]:
    generic = getattr(cls, "__pydantic_generic_metadata__", None)
    if isinstance(cls, type) and generic and generic["origin"]:
        return [ref_of(generic["origin"]), *(ref_of(arg) for arg in generic["args"])]
    origin = get_origin(cls)
    if origin is not None:
        head = "|" if isinstance(cls, types.UnionType) else ref_of(origin)
        return [head, *(ref_of(arg) for arg in get_args(cls))]
    if not isinstance(cls, type):
        raise UnsayableError(cls, "it is no class")
    if "<locals>" in cls.__qualname__:
        raise UnsayableError(
            cls, f"class {cls.__qualname__} is defined inside a function and cannot be found by name"
        )
    return f"{cls.__module__}:{cls.__qualname__}"


def _look_up(ref: str) -> Any:
    """The class behind a name among the modules that are loaded, ``None`` where there is none."""
    module_name, _, qualname = ref.partition(":")
    found: Any = sys.modules.get(module_name)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found


def resolve(ref: Ref) -> Any:
    """The class that ``ref`` names, importing its module where needed.

    Raises:
        KitaruRuntimeError: no such module, or no such class in it.
    """
    if ref is None:
        return types.NoneType
    if isinstance(ref, list):
        return _resolve_generic(ref)
    module_name, _, qualname = ref.partition(":")
    module = sys.modules.get(module_name)
    if module is None:
        try:
            module = import_module(module_name)
        except ImportError as error:
            raise KitaruRuntimeError(_missing(ref, str(error))) from error
    found: Any = module
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, type):
        raise KitaruRuntimeError(_missing(ref, f"module {module_name} has no class {qualname}"))
    return found


def _resolve_generic(ref: list[Any]) -> Any:
    args: list[Any] = [resolve(arg) for arg in ref[1:]]
    if ref[0] == "|":
        return reduce(lambda union, arg: union | arg, args)
    return resolve(ref[0])[tuple(args) if len(args) > 1 else args[0]]


def _missing(ref: str, reason: str) -> str:
    name = ref.replace(":", ".")
    return (
        f"A recorded value needs the class {name}, which cannot be loaded here: {reason}. "
        f"Read it where that class is importable, or bring the class back under this name."
    )
