"""Where a module comes from: the project, Python itself, or an installed distribution with its version."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import PurePath
from types import ModuleType
from typing import Any

PROJECT = ""
"""The origin of the project's own code, which is read instead of being named."""
PYTHON = "python"
UNKNOWN = "?"
"""Installed, yet of no distribution that has a version."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD = tuple(
    sorted(
        {
            os.path.join(folder, "")
            for path in (
                *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")),
                os.path.dirname(os.__file__),
            )
            for folder in (path, os.path.realpath(path))
        }
    )
)


def origin_of(module_name: str) -> str:
    """The origin of a module that is loaded: ``PROJECT``, ``PYTHON``, ``name==version``, or ``UNKNOWN``.

    Example:
        >>> origin_of("json")
        'python'
    """
    module = sys.modules.get(module_name)
    return _origin(module_name, file_of(module) if module is not None else None)


def origin_of_globals(namespace: Mapping[str, object]) -> str:
    """The origin of a function by its globals, which stay its own however it was wrapped or renamed."""
    file = namespace.get("__file__")
    return _origin(str(namespace.get("__name__", "__main__")), file if isinstance(file, str) else None)


def origin_of_absent(top_level: str) -> str | None:
    """The origin of a top-level module that need not be loaded; ``None`` when there is no such module."""
    spec = importlib.util.find_spec(top_level)
    if spec is None:
        return None
    places = spec.submodule_search_locations
    return _origin(top_level, spec.origin if spec.has_location else next(iter(places or ()), None))


def module_of(cls: Any) -> str:
    """The name of the module that a class says it is from."""
    name = cls.__module__
    # A class may define ``__module__`` for its instances instead.
    return name if isinstance(name, str) else "builtins"


def file_of(module: ModuleType) -> str | None:
    """The module's file; of a package without one, its first folder."""
    namespace = vars(module)
    file = namespace.get("__file__")
    if isinstance(file, str):
        return file
    places: Iterable[str] = namespace.get("__path__", ())
    return next(iter(places), None)


@cache
def _origin(module_name: str, file: str | None) -> str:
    top_level = module_name.partition(".")[0]
    if top_level == "kitaru":  # also where it runs from a checkout
        return _distributions(top_level)
    if file is None:
        known = top_level in sys.stdlib_module_names or top_level in sys.builtin_module_names
        return PYTHON if known and top_level != "__main__" else PROJECT
    if not _INSTALLED.isdisjoint(PurePath(file).parts):
        return _distributions(top_level)
    return PYTHON if file.startswith(_STANDARD) else PROJECT


@cache
def _distributions(top_level: str) -> str:
    # Reading what every installed distribution holds takes a tenth of a second; most are named like their module.
    import importlib.metadata

    try:
        named = importlib.metadata.distribution(top_level)
    except importlib.metadata.PackageNotFoundError:
        named = None
    if named is not None:
        record = named.read_text("RECORD") or ""
        held = (f"\n{top_level}/", f"\n{top_level}.py,")
        if top_level == "kitaru" or any(line in f"\n{record}" for line in held):
            return f"{named.name}=={named.version}"
    names = sorted(set(_by_module().get(top_level, ())))
    return ",".join(f"{name}=={importlib.metadata.version(name)}" for name in names) or UNKNOWN


@cache
def _by_module() -> Mapping[str, list[str]]:
    import importlib.metadata

    return importlib.metadata.packages_distributions()
