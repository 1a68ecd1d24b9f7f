"""Something to be done when a module has been imported, without importing it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_asked: dict[str, str] = {}


def after_import(name: str, observer: str) -> None:
    """Call ``watch(module)`` of the module ``observer`` once module ``name`` is there: now, or when it is imported."""
    if name in _asked:
        return
    _asked[name] = observer
    module = sys.modules.get(name)
    if module is None:
        sys.meta_path.insert(0, _Finder(name))
    else:
        _observe(name, module)


def _observe(name: str, module: ModuleType) -> None:
    import_module(_asked[name]).watch(module)


class _Finder(MetaPathFinder):
    """Finds one module where it is, and has it observed after it was executed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See ``importlib.abc.MetaPathFinder``."""
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            _observe(fullname, module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]  # of this one spec's loader alone
        return spec
