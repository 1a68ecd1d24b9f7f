"""Removing what Kitaru keeps on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from kitaru.engine.hostlock import locked_files
from kitaru.errors import KitaruStateError, KitaruUsageError
from kitaru.home import home, project_root

STATE = ("kitaru.db", "kitaru.db-wal", "kitaru.db-shm", "objects")


def cleanable(scope: str) -> list[Path]:
    """What ``clean`` would remove: ``project``, ``global`` or ``all``. Only what is there.

    Raises:
        KitaruUsageError: for another scope, or ``project`` outside of one.
    """
    if scope not in ("project", "global", "all"):
        raise KitaruUsageError(f"clean takes project, global or all, not {scope!r}.")
    root = project_root()
    if scope == "project" and root is None:
        raise KitaruUsageError("This folder is in no project. Make one with `kitaru init`, or clean global.")
    folders: list[Path] = []
    if root is not None and scope != "global":
        folders.append(root / ".kitaru")
    if scope != "project":
        folders.append(home())
    found = [folder / name for folder in folders for name in STATE]
    if scope != "project":
        found.append(home() / "runners")
    return [path for path in found if path.exists()]


def clean(paths: list[Path]) -> None:
    """Remove databases, objects and runners' files.

    Raises:
        KitaruStateError: while a runner lives that may be using them.
    """
    busy = locked_files(home() / "runners")
    if busy:
        raise KitaruStateError(
            f"{len(busy)} runner(s) or timer(s) are alive and may use these files. See "
            "`kitaru executions list --status running`, and cancel them first."
        )
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
