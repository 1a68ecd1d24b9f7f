"""Settings, and the order in which their sources count.

Highest first: the ``.run(...)`` argument, the decorator, ``kitaru.configure(...)``, ``KITARU_*`` in the environment,
``[tool.kitaru]`` in ``pyproject.toml``, the user's ``config.toml``, the built-in default.
"""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from kitaru.errors import KitaruUsageError
from kitaru.home import home, state_folder

__all__ = ["configure", "setting"]

DEFAULTS: dict[str, Any] = {
    "retries": 0,
    "cache": False,
    "stack": "local",
    "image": None,
    "timeout": None,
    "budget_usd": None,
    "default_model": None,
    "llm_mock_response": None,
    "project": None,
    "database_url": None,
    "artifact_store": None,
    "allow_pickle": True,
}

_configured: dict[str, Any] = {}


def configure(**settings: Any) -> None:
    """Set defaults for this process; ``None`` takes a setting back to what comes below it.

    Args:
        **settings: any of ``retries cache stack image timeout budget_usd default_model llm_mock_response project
            database_url artifact_store allow_pickle``.

    Raises:
        KitaruUsageError: for an unknown setting.

    Example:
        >>> configure(retries=2)
        >>> setting("retries")
        2
        >>> configure(retries=None)
    """
    for name, value in settings.items():
        _check_name(name, "kitaru.configure()")
        if value is None:
            _configured.pop(name, None)
        else:
            _configured[name] = value


def setting(name: str, *explicit: Any) -> Any:
    """The value that counts. ``explicit``: what the call and the decorator said, in this order, None for nothing."""
    for value in explicit:
        if value is not None:
            return value
    return sourced(name)[0]


def sourced(name: str) -> tuple[Any, str]:
    """The value that counts in this process, and where it comes from."""
    if name in _configured:
        return _configured[name], "kitaru.configure()"
    variable = f"KITARU_{name.upper()}"
    text = os.environ.get(variable)
    if text is not None:
        return _parse(name, text), variable
    for source, where in (
        (_pyproject(str(Path.cwd())), "pyproject.toml"),
        (_user_file(str(home())), "config.toml"),
    ):
        if name in source:
            return source[name], where
    return DEFAULTS[name], "default"


def database_url() -> str:
    """The store's address: the setting ``database_url``, else the embedded SQLite database."""
    return setting("database_url") or f"sqlite:///{state_folder() / 'kitaru.db'}"


def artifact_store(url: str) -> str:
    """Where large values go: the setting ``artifact_store``, else a folder beside the SQLite database ``url``."""
    named = setting("artifact_store")
    if named:
        return named
    if url.startswith("sqlite:///") and not url.endswith(":memory:"):
        return str(Path(url.removeprefix("sqlite:///")).parent / "objects")
    return str(home() / "objects")


def _parse(name: str, text: str) -> Any:
    default = DEFAULTS[name]
    if isinstance(default, bool):
        lowered = text.strip().lower()
        if lowered in ("1", "true", "yes", "on"):
            return True
        if lowered in ("0", "false", "no", "off", ""):
            return False
        raise KitaruUsageError(f"KITARU_{name.upper()}={text!r} is not a boolean; write true or false.")
    if name == "retries":
        return _number(name, text, int)
    if name in ("timeout", "budget_usd"):
        return _number(name, text, float)
    return text


def _number(name: str, text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError as error:
        raise KitaruUsageError(f"KITARU_{name.upper()}={text!r} is not a number.") from error


def _check_name(name: str, where: str) -> None:
    if name not in DEFAULTS:
        raise KitaruUsageError(f"{where} has no setting {name!r}; there are: {', '.join(DEFAULTS)}.")


@lru_cache(maxsize=8)
def _pyproject(cwd: str) -> dict[str, Any]:
    for folder in (Path(cwd), *Path(cwd).parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _table(path, "tool", "kitaru")
    return {}


@lru_cache(maxsize=8)
def _user_file(folder: str) -> dict[str, Any]:
    path = Path(folder) / "config.toml"
    return _table(path) if path.is_file() else {}


def _table(path: Path, *keys: str) -> dict[str, Any]:
    try:
        found: Any = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise KitaruUsageError(f"{path} is not valid TOML: {error}") from error
    for key in keys:
        found = found.get(key, {})
    for name in found:
        _check_name(name, str(path))
    return found
