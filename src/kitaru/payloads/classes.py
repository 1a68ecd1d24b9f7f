"""Classes by name: ``module:qualname``, checked to lead back to the same class."""

from __future__ import annotations

import sys
import types
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from importlib import import_module
from inspect import getattr_static
from typing import Any, get_args, get_origin

from kitaru.errors import KitaruBackendError, KitaruRuntimeError

Ref = str | list[Any] | None
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement or the like, not a static C type


# Modules that plain values name: these may always be imported.
_HARMLESS = frozenset(
    {"decimal", "fractions", "ipaddress", "uuid", "pydantic", "pydantic.networks", "pydantic.types"}
)
_OF_THE_INTERPRETER = frozenset({"__class__", "__dict__"})

_loaded_only: ContextVar[bool] = ContextVar("kitaru_loaded_only", default=False)


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


@contextmanager
def loaded_only() -> Generator[None]:
    """While this lasts, a class is found only in modules that are loaded: stored data can make none run its code."""
    token = _loaded_only.set(True)
    try:
        yield
    finally:
        _loaded_only.reset(token)


def check_attribute(name: str) -> None:
    """Refuse to set what would make an object another class's: that class's ``__del__`` would run on stored data.

    Raises:
        KitaruBackendError: for such a name, which no encoder writes.
    """
    if name in _OF_THE_INTERPRETER:
        raise KitaruBackendError(
            f"A stored value sets {name}: it was not written by kitaru. Do not trust it."
        )


def resolve(ref: Ref) -> Any:
    """The class that ``ref`` names, importing its module where needed, except inside ``loaded_only``.

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
        module = _imported(ref, module_name)
    found: Any = module
    for name in qualname.split("."):
        # A lazy module's __getattr__ imports too.
        found = getattr_static(found, name, None) if _loaded_only.get() else getattr(found, name, None)
    if not isinstance(found, type):
        raise KitaruRuntimeError(_missing(ref, f"module {module_name} has no class {qualname}"))
    return found


def _imported(ref: str, module_name: str) -> types.ModuleType:
    if _loaded_only.get() and module_name not in _HARMLESS:
        raise KitaruRuntimeError(
            f"A recorded value needs the class {ref.replace(':', '.')}, whose module is not imported here, and with "
            f"allow_pickle = false stored data cannot import one. Write `import {module_name}` in your own code, or "
            "set allow_pickle = true where you trust whoever wrote the store."
        )
    try:
        return import_module(module_name)
    except ImportError as error:
        raise KitaruRuntimeError(_missing(ref, str(error))) from error


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
