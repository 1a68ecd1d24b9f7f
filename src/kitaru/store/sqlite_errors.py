"""What SQLite's errors mean, and what to do."""

from __future__ import annotations

import errno
import os
import sqlite3

from kitaru.errors import KitaruBackendError

BUSY_SECONDS = 30

_SAYINGS = {
    "SQLITE_BUSY": (
        f"is locked: another process has been writing to it for {BUSY_SECONDS} s. See who has it open with "
        "`fuser {path}`, end or wait for that process, then repeat the command."
    ),
    "SQLITE_READONLY": "cannot be written. You need the right to write the file and its folder: `ls -la {folder}`.",
    "SQLITE_FULL": "cannot grow: the disk is full. Make room (`df -h {folder}`), then repeat the command.",
    "SQLITE_IOERR": (
        "cannot be read or written: the disk reports an error. Look at `df -h {folder}` and the system's log; what was "
        "acknowledged before is in the file."
    ),
    "SQLITE_CORRUPT": (
        "is damaged. Copy {path} and {path}-wal away, then restore a backup, or save what can be read with "
        "`sqlite3 {path} .recover`."
    ),
    "SQLITE_NOTADB": "is not an SQLite database. Name another file in KITARU_DATABASE_URL, or move this one away.",
    "SQLITE_CANTOPEN": "cannot be opened. The folder must exist and be yours to write: `ls -la {folder}`.",
    "SQLITE_PERM": "cannot be opened. The folder must exist and be yours to write: `ls -la {folder}`.",
}

_PASSING = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_PROTOCOL",
    "SQLITE_NOMEM",
)


def translated(error: Exception, name: str) -> KitaruBackendError:
    """The error for users; ``error`` is its cause."""
    code: str = getattr(error, "sqlite_errorname", None) or ""
    folder = name.rpartition("/")[0] or "."
    for known, saying in _SAYINGS.items():
        if code.startswith(known) or (known == "SQLITE_BUSY" and code.startswith("SQLITE_LOCKED")):
            locked = "database is locked: " if known == "SQLITE_BUSY" else ""
            says = saying.format(path=name, folder=folder)
            message = f"{locked}The database {name} {says} ({error})"
            break
    else:
        message = f"The database {name} failed: {error}. Check it with `kitaru status`."
    translation = KitaruBackendError(message, transient=_may_pass(code, name, folder))
    translation.__cause__ = error
    return translation


def _may_pass(code: str, name: str, folder: str) -> bool:
    if code.startswith("SQLITE_CANTOPEN"):
        # A full disk and too many open files look like this too.
        return os.access(name, os.R_OK | os.W_OK) and os.access(folder, os.W_OK)
    return code.startswith(_PASSING)


def copied(error: KitaruBackendError) -> KitaruBackendError:
    """The same error for another thread: a raised one carries its thread's traceback."""
    return KitaruBackendError(str(error), transient=error.transient, unknown=error.unknown)


def displaced(name: str) -> KitaruBackendError:
    """The error for a file that was removed, or exchanged for another, while connections to it were open."""
    return KitaruBackendError(
        f"The database {name} was removed, or replaced by another file, while this process had it open. Nothing more "
        f"is written. Put the file back with its {name}-wal, or restore a backup, then type `kitaru status`."
    )


def unreachable(name: str, error: OSError) -> KitaruBackendError:
    """The error for a file that cannot even be looked up."""
    return KitaruBackendError(
        f"The database {name} cannot be reached: {error.strerror}. Look at `ls -la {name}` and the system's log; what "
        "was acknowledged before is in the file.",
        transient=error.errno not in (errno.EACCES, errno.EPERM),
    )


def is_busy(error: sqlite3.Error) -> bool:
    """True when another connection was in the way."""
    return (getattr(error, "sqlite_errorname", None) or "").startswith("SQLITE_BUSY")
