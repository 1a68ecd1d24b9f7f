"""How another process finds a flow again: what is recorded about it, and how that is loaded."""

from __future__ import annotations

import builtins
import dataclasses
import importlib
import importlib.util
import io
import os
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Literal, cast

from kitaru.errors import KitaruRuntimeError
from kitaru.runners.top_level import (
    LOADED_MAIN,
    LoadEnded,
    during_load,
    loading,
    run_as_main,
    run_as_module,
    where,
)

__all__ = ["Entrypoint", "LoadEnded", "describe_entrypoint", "during_load", "load_function", "loading"]

Kind = Literal["module", "script", "none"]
JsonDict = dict[str, Any]

# The names that the module of the command line goes by: in itself, and in processes of multiprocessing.
_MAIN = frozenset({"__main__", "__mp_main__"})
# Noted early: Python takes it away when the script's last line is done, while its flows may still run.
_STARTED_FILE: str | None = getattr(sys.modules["__main__"], "__file__", None)
_THEN = "Then type: kitaru executions resume kr-…"


@dataclass(frozen=True)
class Entrypoint:
    """Where a flow is defined, and what a process needs to load it.

    Attributes:
        kind: ``"module"``: import it. ``"script"``: run a file's top level. ``"none"``: no other process can load it.
        module: the module's name; for a script ``None``.
        script: the file that ran as ``__main__``; for ``python -m`` beside ``module``.
        qualname: the name that the flow has there; dots go into classes.
        python: the interpreter.
        cwd: the working directory.
        sys_path: the folders that modules were found in.
        argv: the command line, the script first.
        reason: why no other process can load it, and what to do; ``None`` when one can.
    """

    kind: Kind
    module: str | None
    script: str | None
    qualname: str
    python: str
    cwd: str
    sys_path: list[str]
    argv: list[str]
    reason: str | None

    def to_json(self) -> JsonDict:
        """The entry point as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, form: JsonDict) -> Entrypoint:
        """The entry point that ``to_json`` wrote; fields of a newer version are left out."""
        return cls(**{field.name: form[field.name] for field in dataclasses.fields(cls)})


def describe_entrypoint(function: object) -> Entrypoint:
    """How another process finds ``function``: a flow, or the function behind one.

    A flow that no other process can find is no error here; the answer's ``reason`` says what to change.

    Example:
        >>> import json
        >>> found = describe_entrypoint(json.dumps)
        >>> found.kind, found.module, found.qualname
        ('module', 'json', 'dumps')
    """
    plain: Any = _plain(function)
    qualname, module_name = str(plain.__qualname__), str(plain.__module__)
    for name in dict.fromkeys((module_name, "__main__")):
        module = sys.modules.get(name)
        found = _name_in(module, plain, qualname) if module is not None else None
        if module is not None and found is not None:
            return _describe_in(module, found, plain)
    if "<locals>" in qualname:
        where = qualname.partition(".<locals>")[0]
        reason = f"{qualname} is defined inside {where}(), where no other process finds it. Move it to module level."
    else:
        reason = (
            f"Module {module_name} has no {qualname} that is this flow, so no other process finds it. "
            f"Give the flow a name at module level."
        )
    return _entrypoint("none", qualname, reason=reason)


def _plain(value: object) -> object:
    """The function behind a flow; anything else is itself."""
    # Asked of what the value itself holds: a proxy or a client may answer to any attribute.
    try:
        held: object = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return value
    return cast("dict[str, object]", held).get("__kitaru_function__", value) if type(held) is dict else value


def _name_in(module: ModuleType, plain: object, qualname: str) -> str | None:
    """The name at which ``module`` holds the flow: its own, or another one at module level."""
    if "<locals>" not in qualname and _plain(_reach(module, qualname)) is plain:
        return qualname
    return next((name for name, value in list(vars(module).items()) if _plain(value) is plain), None)


def _reach(module: ModuleType, qualname: str) -> Any:
    """What stands at ``qualname``; ``None`` where nothing does."""
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _describe_in(module: ModuleType, qualname: str, plain: Any) -> Entrypoint:
    name = module.__name__
    spec: ModuleSpec | None = getattr(module, "__spec__", None)
    file: str | None = getattr(module, "__file__", None)
    if name not in _MAIN and module is not sys.modules.get("__main__"):
        if spec is None and file is None:
            reason = f"Module {name} was made while the program ran. Put {qualname} in a file that can be imported."
            return _entrypoint("none", qualname, reason=reason)
        return _entrypoint("module", qualname, module=name)
    file = file or _STARTED_FILE
    code: CodeType | None = getattr(plain, "__code__", None)
    if file is None or (code is not None and code.co_filename.startswith("<")):
        reason = (
            f"{qualname} was typed into {_place()}, which no other process can load. "
            f"Put it into a .py file and start it from there, or import it from that file."
        )
        return _entrypoint("none", qualname, reason=reason)
    file = os.path.abspath(file)
    if not os.path.isfile(file):
        return _entrypoint(
            "none", qualname, reason=f"{qualname} was defined in {file}, which is no file that exists."
        )
    if spec is not None and spec.name not in _MAIN:  # python -m
        return _entrypoint("module", qualname, module=spec.name, script=file)
    return _entrypoint("script", qualname, script=file)


def _place() -> str:
    """Where code without a file comes from."""
    if hasattr(builtins, "__IPYTHON__"):
        return "a notebook (IPython)"
    if hasattr(sys, "ps1"):
        return "the interactive interpreter"
    return "the command line (python -c)" if sys.argv[:1] == ["-c"] else "standard input"


def _entrypoint(
    kind: Kind,
    qualname: str,
    *,
    module: str | None = None,
    script: str | None = None,
    reason: str | None = None,
) -> Entrypoint:
    try:
        cwd = os.getcwd()
    except FileNotFoundError:
        reason = reason or "The working directory was deleted. Start the flow from a folder that exists."
        return Entrypoint("none", None, None, qualname, sys.executable, "", [], list(sys.argv), reason)
    path = [os.path.abspath(entry) for entry in sys.path]
    return Entrypoint(kind, module, script, qualname, sys.executable, cwd, path, list(sys.argv), reason)


def load_function(entrypoint: Entrypoint) -> object:
    """Load the flow that ``describe_entrypoint`` described, in a process that runs no flow yet.

    Sets the working directory, ``sys.argv`` and ``sys.path`` as recorded. A script (or what ``python -m`` ran) becomes
    this process's ``__main__``, so that classes recorded as ``__main__.X`` are found, while its top level reads another
    ``__name__``, so that ``if __name__ == "__main__":`` blocks do not run. Where the top level blocks on a flow or
    exits, what it defined so far counts.

    Returns:
        What stands at the recorded name: the flow.

    Raises:
        KitaruRuntimeError: it cannot be loaded: the message names file, line, cause, and what to type.

    Example:
        >>> import json
        >>> load_function(describe_entrypoint(json.dumps)) is json.dumps
        True
    """
    if entrypoint.kind == "none":
        raise KitaruRuntimeError(
            f"{entrypoint.reason} The flow can only go on in the process that started it."
        )
    try:
        os.chdir(entrypoint.cwd)
    except OSError as error:
        raise KitaruRuntimeError(
            f"The folder {entrypoint.cwd}, in which the execution was started, cannot be entered: {error.strerror}. "
            f"Bring it back. {_THEN}"
        ) from error
    sys.argv[:] = entrypoint.argv
    _set_path(entrypoint)
    with during_load():
        module, end = _import(entrypoint) if entrypoint.script is None else _run_main(entrypoint)
    found = _reach(module, entrypoint.qualname)
    if found is None:
        raise _missing(module, entrypoint, end) from end
    return found


def _set_path(entrypoint: Entrypoint) -> None:
    recorded, current = entrypoint.sys_path, sys.path
    # The order decides between modules of one name. Another Python's own folders must not come before this one's.
    same_python = sysconfig.get_path("stdlib") in recorded
    merged = [*recorded, *current] if same_python else [*current, *recorded]
    if entrypoint.kind == "script" and entrypoint.script is not None:
        merged.insert(0, os.path.dirname(entrypoint.script))
    sys.path[:] = dict.fromkeys(merged)


def _import(entrypoint: Entrypoint) -> tuple[ModuleType, BaseException | None]:
    """Import a module, and keep what it defined when its top level ends early, which ``import`` would not."""
    name = str(entrypoint.module)
    if name in sys.modules:
        return sys.modules[name], None
    spec = _find_spec(entrypoint)
    end = _ended_by(entrypoint, spec.origin or name, lambda: run_as_module(spec))
    return sys.modules[name], end


def _find_spec(entrypoint: Entrypoint) -> ModuleSpec:
    name = str(entrypoint.module)
    found: list[ModuleSpec | None] = []
    # Imports the packages that the module is in.
    end = _ended_by(entrypoint, name, lambda: found.append(importlib.util.find_spec(name)))
    if end is not None or not found or found[0] is None or found[0].loader is None:
        why = (
            f"a package above it ended early ({end!r})"
            if end is not None
            else "no such module is on sys.path"
        )
        raise KitaruRuntimeError(
            f"Module {name}, in which {entrypoint.qualname} was defined, cannot be imported: {why}. "
            f"Bring it back. {_THEN}"
        )
    return found[0]


def _run_main(entrypoint: Entrypoint) -> tuple[ModuleType, BaseException | None]:
    """Run a script's top level as this process's ``__main__``; once, however many of its flows are asked for."""
    file = str(entrypoint.script)
    known = sys.modules.get(LOADED_MAIN)
    if known is not None and known.__file__ == file:
        return known, None
    module = ModuleType("__main__")
    if entrypoint.module is not None:
        spec = _find_spec(entrypoint)
        module.__spec__, module.__package__, file = spec, spec.parent, spec.origin or file
        module.__loader__ = spec.loader
    else:
        module.__loader__ = SourceFileLoader("__main__", file)
    module.__file__ = file
    code = _compile(entrypoint, file)
    return module, _ended_by(entrypoint, file, lambda: run_as_main(module, code))


def _compile(entrypoint: Entrypoint, file: str) -> CodeType:
    try:
        with io.open_code(file) as stream:
            return compile(stream.read(), file, "exec", dont_inherit=True)
    except OSError as error:
        raise KitaruRuntimeError(
            f"The script {file}, in which {entrypoint.qualname} was defined, cannot be read: {error.strerror}. "
            f"Bring it back. {_THEN}"
        ) from error
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        raise _failed(entrypoint, file, error) from error


def _ended_by(entrypoint: Entrypoint, file: str, load: Callable[[], object]) -> BaseException | None:
    """What ended the load before its last line without being a failure, if anything did."""
    try:
        load()
    except (LoadEnded, SystemExit) as end:
        return end
    except Exception as error:  # code at the top level may raise anything
        raise _failed(entrypoint, file, error) from error
    return None


def _failed(entrypoint: Entrypoint, file: str, error: Exception) -> KitaruRuntimeError:
    return KitaruRuntimeError(
        f"{entrypoint.qualname} cannot be loaded: {where(error, file)}: {type(error).__name__}: "
        f"{_told(error)}. Correct that. {_THEN}"
    )


def _told(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _missing(module: ModuleType, entrypoint: Entrypoint, end: BaseException | None) -> KitaruRuntimeError:
    file = getattr(module, "__file__", None) or module.__name__
    flows = sorted(
        name for name, value in vars(module).items() if _plain(value) is not value and hasattr(value, "run")
    )
    has = f"It has {', '.join(flows)}." if flows else "It has no flows."
    if end is None:
        cause = "It was renamed or removed."
    elif isinstance(end, LoadEnded):
        cause = f"Its top level waits for a flow before that ({where(end, file)}): move that below."
    else:
        cause = f"Its top level exits before that ({where(end, file)}: {end})."
    return KitaruRuntimeError(
        f"{file} has no {entrypoint.qualname}. {cause} {has} Bring {entrypoint.qualname} back under this name. {_THEN}"
    )
