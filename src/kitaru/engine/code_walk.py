"""From a function over everything in the project that it reaches, each thing said once, in a fixed order."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from kitaru.engine.code_bytecode import CodeForm, Reference, read_code
from kitaru.engine.code_classes import class_parts
from kitaru.engine.code_origins import (
    PROJECT,
    UNKNOWN,
    module_of,
    origin_of,
    origin_of_absent,
    origin_of_globals,
)
from kitaru.engine.code_values import CODE_KINDS, attributes_of, say_value
from kitaru.payloads.jsontext import kind_of

DIGEST_BYTES = 20

# They say where the code is, not what it does.
_PLACES = frozenset(
    {"__name__", "__file__", "__spec__", "__package__", "__path__", "__doc__", "__builtins__"}
)
# What can reach anything, so that nobody can say what it reaches.
_ANYTHING: frozenset[object] = frozenset(
    {
        *(exec, eval, globals, __import__),
        *(importlib.import_module, importlib.reload, runpy.run_path, runpy.run_module),
    }
)
_ABSENT = object()

_forms: WeakKeyDictionary[FunctionType, CodeForm] = WeakKeyDictionary()


class Walk:
    """One walk from one function. Functions and classes are numbered when they are met and said afterwards.

    Attributes:
        resolved: whether everything that was met could be told.
    """

    def __init__(self) -> None:
        self.resolved = True
        self._numbers: dict[int, int] = {}
        self._queue: list[tuple[Callable[[Any], Iterator[str]], object]] = []
        self._open: set[int] = set()

    def digest(self, root: object) -> str:
        """The digest of ``root`` and of all that it reaches."""
        hasher = blake2b(f"1 {sys.version_info[:2]}".encode(), digest_size=DIGEST_BYTES)
        hasher.update(self.token(root).encode("utf-8", "surrogatepass"))
        for say, value in self._queue:  # grows while it is walked
            for part in say(value):
                hasher.update(f"\n{len(part)} {part}".encode("utf-8", "surrogatepass"))
        return hasher.hexdigest()

    def token(self, value: Any) -> str:
        """A text for ``value``: a number for project code, a version for code from outside, else what it holds."""
        kind = kind_of(value)
        if kind is FunctionType:
            return self._function(value)
        if issubclass(kind, type):
            return self._class(value)
        if issubclass(kind, ModuleType):
            return self._walk_module(value, ())
        if kind is BuiltinFunctionType:
            return self._builtin(value)
        if kind is MethodType:
            return f"method {self.token(value.__func__)} of {self.token(value.__self__)}"
        behind = attributes_of(value).get("__kitaru_function__")
        if behind is not None:
            return self.token(behind)
        return say_value(value, self)

    def outside(self, origin: str, name: str) -> str:
        """The token of something that an installed distribution or Python holds."""
        self.resolved &= origin != UNKNOWN
        return f"{origin}:{name}"

    def unresolved(self, reason: str) -> str:
        """The token of something that cannot be told, which makes the whole digest count as changed."""
        self.resolved = False
        return f"unresolved {reason}"

    @contextmanager
    def inside(self, value: object) -> Generator[bool]:
        """Say what a value holds: gives false when ``value`` contains itself and is being said already."""
        known = id(value) in self._open
        self._open.add(id(value))
        try:
            yield not known
        finally:
            if not known:
                self._open.discard(id(value))

    def _number(self, value: object, say: Callable[[Any], Iterator[str]]) -> str:
        number = self._numbers.setdefault(id(value), len(self._numbers))
        if number == len(self._queue):
            self._queue.append((say, value))
        return f"#{number}"

    def _class(self, cls: type[Any]) -> str:
        origin = origin_of(module_of(cls))
        if origin == PROJECT:
            return self._number(cls, self._say_class)
        return self.outside(origin, f"{module_of(cls)}.{cls.__qualname__}")

    def _say_class(self, cls: type[Any]) -> Iterator[str]:
        return class_parts(cls, self)

    def _builtin(self, value: Any) -> str:
        if value in _ANYTHING:
            return self.unresolved(value.__name__)
        module = value.__module__ or module_of(type(value.__self__))
        origin = origin_of(module)
        if origin == PROJECT:
            return self.unresolved(f"compiled {module}.{value.__qualname__}")
        return self.outside(origin, f"{module}.{value.__qualname__}")

    def _function(self, function: FunctionType) -> str:
        if function in _ANYTHING:
            return self.unresolved(function.__name__)
        return self._number(function, self._say_function)

    def _say_function(self, function: FunctionType) -> Iterator[str]:
        origin = origin_of_globals(function.__globals__)
        if origin == PROJECT:
            yield from self._say_project_function(function)
        else:
            yield self.outside(origin, f"{function.__module__}.{function.__qualname__}")
            # A decorator from outside holds the project's function in its closure.
            for cell in function.__closure__ or ():
                yield from map(self.token, _functions_in(_content(cell)))
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None:
            yield f"wraps {self.token(wrapped)}"

    def _say_project_function(self, function: FunctionType) -> Iterator[str]:
        form = _forms.get(function)
        if form is None:
            form = _forms[function] = read_code(function.__code__)
        yield form.text
        yield self.token(function.__defaults__)
        yield self.token(function.__kwdefaults__)
        for reference in form.references:
            yield f"{'.'.join((reference.name, *reference.attributes))} {self._resolve(reference, function, form)}"

    def _resolve(self, reference: Reference, function: FunctionType, form: CodeForm) -> str:
        if reference.source == "import":
            return self._resolve_import(reference, function.__globals__)
        name = reference.name
        if reference.source == "free":
            value = _content((function.__closure__ or ())[function.__code__.co_freevars.index(name)])
        elif name in _PLACES:
            return "place"
        else:
            value = function.__globals__.get(name, _ABSENT)
            if value is _ABSENT:
                return self._resolve_builtin(name, function)
            if name in form.assigned and not issubclass(kind_of(value), FunctionType | type | ModuleType):
                return f"state of {self.token(type(value))}"
        if value is _ABSENT:
            return self.unresolved(name)
        return self._walk(value, reference.attributes)

    def _resolve_builtin(self, name: str, function: FunctionType) -> str:
        value = function.__builtins__.get(name, _ABSENT)
        if value is _ABSENT or (type(value) is BuiltinFunctionType and value in _ANYTHING):
            return self.unresolved(name)
        return "builtin"

    def _walk(self, value: Any, attributes: tuple[str, ...]) -> str:
        kind = kind_of(value)
        if issubclass(kind, ModuleType):
            return self._walk_module(value, attributes)
        if attributes and issubclass(kind, type):
            bodies: list[Any] = [vars(base) for base in value.__mro__]
            raw: Any = next((body[attributes[0]] for body in bodies if attributes[0] in body), None)
            if kind_of(raw) is staticmethod:  # it gets no class, so it reaches no more than itself
                return self.token(raw.__func__)
        return self.token(value)

    def _walk_module(self, module: ModuleType, attributes: tuple[str, ...]) -> str:
        origin = (
            origin_of(module.__name__) if module.__name__ in sys.modules else origin_of_globals(vars(module))
        )
        if origin != PROJECT:
            value: Any = module
            for name in attributes:
                value = vars(value).get(name) if isinstance(value, ModuleType) else None
            if type(value) in (FunctionType, BuiltinFunctionType) and value in _ANYTHING:
                return self.unresolved(value.__name__)
            return self.outside(origin, ".".join((module.__name__, *attributes)))
        if not attributes:
            return self.unresolved(f"module {module.__name__} as a value")
        name, *rest = attributes
        if name in _PLACES:
            return "place"
        value = vars(module).get(name, _ABSENT)
        if value is _ABSENT:
            value = _loaded(f"{module.__name__}.{name}") if hasattr(module, "__path__") else None
            if value is None:
                return self.unresolved(f"{module.__name__}.{name}")
        return self._walk(value, tuple(rest))

    def _resolve_import(self, reference: Reference, namespace: dict[str, Any]) -> str:
        name = reference.name
        if reference.level:
            package = namespace.get("__package__") or str(namespace.get("__name__")).rpartition(".")[0]
            if not package:
                return self.unresolved(f"relative import of {name}")
            name = importlib.util.resolve_name("." * reference.level + name, package)
        top_level = name.partition(".")[0]
        if name not in sys.modules:
            origin = origin_of(top_level) if top_level in sys.modules else origin_of_absent(top_level)
            if origin is None:
                return f"no module {top_level}"
            if origin != PROJECT:
                return self.outside(origin, ".".join((name, *reference.attributes)))
        module = _loaded(name)
        if module is None:
            return self.unresolved(f"import of {name}")
        return self._walk(sys.modules[top_level] if reference.top else module, reference.attributes)


def _loaded(name: str) -> ModuleType | None:
    """A module of the project, loaded now if need be: the code that is asked about would do the same."""
    try:
        return importlib.import_module(name)
    except Exception:  # its top level may raise anything; the caller then counts it as not resolved
        return None


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty: its function is still being made
        return _ABSENT


def _functions_in(value: Any, *, nested: bool = True) -> list[Any]:
    """The functions and classes in a closure's value, one container deep; anything else in it is not code."""
    kind = kind_of(value)
    if (
        kind in CODE_KINDS
        or issubclass(kind, type)
        or attributes_of(value).get("__kitaru_function__") is not None
    ):
        return [value]
    if nested and kind in (dict, list, tuple):
        items: list[Any] = list(value.values() if kind is dict else value)
        return [found for item in items for found in _functions_in(item, nested=False)]
    return []
