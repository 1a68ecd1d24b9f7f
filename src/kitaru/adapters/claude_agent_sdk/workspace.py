"""The folder in which an agent works, as a value that travels with its session."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from kitaru.errors import KitaruUsageError

LIMIT = 64 * 1024 * 1024
"""Bytes of all files together."""


@dataclass(frozen=True, slots=True)
class File:
    """A file; of a symbolic link, where it points to."""

    data: bytes
    executable: bool = False
    link: str | None = None


Workspace = dict[str, File]
"""Paths below the folder, with ``/``, in order. Empty folders do not travel."""


def taken(folder: Path) -> Workspace:
    """What the folder holds.

    Raises:
        KitaruUsageError: it holds more than ``LIMIT``.
        OSError: something in it cannot be read.
    """
    found: Workspace = {}
    size = 0
    for path in _files(folder):
        held = path.lstat()
        name = path.relative_to(folder).as_posix()
        if stat.S_ISLNK(held.st_mode):
            found[name] = File(b"", link=str(path.readlink()))
        elif stat.S_ISREG(held.st_mode):
            size += held.st_size
            if size > LIMIT:
                raise KitaruUsageError(
                    f"The workspace {folder} holds more than {LIMIT >> 20} MiB, which is too much to travel with each "
                    "turn. Give the agent a folder of its own as cwd, or leave workspace=True out and keep the files "
                    "where all runners find them."
                )
            found[name] = File(path.read_bytes(), executable=bool(held.st_mode & stat.S_IXUSR))
    return found


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for where, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        found += [Path(where) / name for name in (*files, *links)]
    return sorted(found)


def put_back(workspace: Workspace, folder: Path) -> bool:
    """Make the folder what it was, where it is missing or empty; otherwise it is left as it is.

    It is there as a whole or not at all. Returns whether it was made.
    """
    if folder.exists() and any(folder.iterdir()):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.parent / f".{folder.name}.{uuid4().hex}"
    try:
        aside.mkdir()
        for name, file in workspace.items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.link is not None:
                path.symlink_to(file.link)
                continue
            path.write_bytes(file.data)
            if file.executable:
                path.chmod(path.stat().st_mode | 0o111)
        aside.rename(folder)  # over an empty folder too
    except BaseException:
        rmtree(aside, ignore_errors=True)
        raise
    return True
