"""Where Kitaru keeps its files: the user's folder, and the project's when ``kitaru init`` made one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

PROJECT_FILE = "project.toml"


def home() -> Path:
    """The user's folder: ``KITARU_CONFIG_PATH``, else ``~/.kitaru``."""
    named = os.environ.get("KITARU_CONFIG_PATH") or str(Path.home() / ".kitaru")
    return _resolved(named, os.getcwd() if named[0] not in "/~" else "")


@cache
def _resolved(named: str, _cwd: str) -> Path:
    # Asked for several times at the start of each execution.
    return Path(named).expanduser().resolve()


def project_root(start: Path | None = None) -> Path | None:
    """The nearest folder, from ``start`` (default: the working directory) upwards, that ``kitaru init`` was run in."""
    here = start.resolve() if start else Path(os.getcwd())
    for folder in (here, *here.parents):
        if (folder / ".kitaru" / PROJECT_FILE).is_file():
            return folder
    return None


def state_folder() -> Path:
    """Where the embedded database and its objects are: the project's ``.kitaru``, else the user's folder."""
    root = project_root()
    return root / ".kitaru" if root else home()
