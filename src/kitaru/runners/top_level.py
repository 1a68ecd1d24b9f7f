"""Running the top level of a script or a module to find what it defines, wherever it ends."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Generator, Iterator, MutableMapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

LOADED_MAIN = "__kitaru_main__"
"""What ``__name__`` reads at the top level of a loaded script, and another name of its module."""

_loads = 0


class LoadEnded(BaseException):
    """Raised at the top level of a script that is being loaded, where it would block on one of its own flows.

    What the script defined until then is kept. Not an ``Exception``, so that ``except Exception`` lets it pass.
    """


def loading() -> bool:
    """Whether a module or script is being loaded to find a flow in it: ``.run()`` then starts nothing.

    It holds for every thread of the process: a script may start its flows from threads.
    """
    return _loads > 0


@contextmanager
def during_load() -> Generator[None]:
    """Within it :func:`loading` is true."""
    global _loads
    _loads += 1
    try:
        yield
    finally:
        _loads -= 1


def run_as_module(spec: ModuleSpec) -> None:
    """Import a module by its spec, keeping what it defined when its top level ends early; ``import`` would not."""
    module = importlib.util.module_from_spec(spec)
    loader: Any = spec.loader
    sys.modules[spec.name] = module
    try:
        loader.exec_module(module)
    except Exception:
        del sys.modules[spec.name]
        raise
    finally:
        parent, _, child = spec.name.rpartition(".")
        if parent and spec.name in sys.modules:
            setattr(sys.modules[parent], child, module)


def run_as_main(module: ModuleType, code: CodeType) -> None:
    """Run a script's top level in ``module``, which becomes this process's ``__main__`` unless that fails."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = sys.modules[LOADED_MAIN] = module
    try:
        exec(code, vars(module), _TopLevel(vars(module)))
    except Exception:
        sys.modules["__main__"] = before
        del sys.modules[LOADED_MAIN]
        raise


class _TopLevel(MutableMapping[str, Any]):
    """A script's top level as its statements see it: the module's own names, but for ``__name__``.

    Classes and functions take their ``__module__`` from the module itself, where the name stays ``__main__``: so their
    values are recorded under the same names as in the process that started the flow.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def __getitem__(self, name: str) -> Any:
        return LOADED_MAIN if name == "__name__" else self._namespace[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._namespace[name] = value

    def __delitem__(self, name: str) -> None:
        del self._namespace[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespace)

    def __len__(self) -> int:
        return len(self._namespace)


def where(error: BaseException, file: str) -> str:
    """The line of ``file`` that an error came from, and the line elsewhere that raised it."""
    stack = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    frames = [f"{name}, line {line}" for name, line in stack if not name.startswith("<frozen")]
    place = next((frame for frame in reversed(frames) if frame.startswith(f"{file}, ")), None)
    raised = frames[-1] if place else file
    if isinstance(error, SyntaxError) and error.filename is not None:
        raised = f"{error.filename}, line {error.lineno}"
    return raised if place in (None, raised) else f"{place} (raised in {raised})"
