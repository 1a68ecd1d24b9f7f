"""This process's connection: one store, its values, and its runner, opened on first use."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from kitaru import settings
from kitaru.engine.runner import Runner
from kitaru.engine.vault import Vault
from kitaru.home import home
from kitaru.store import open_store
from kitaru.store.protocol import Store


@dataclass(frozen=True)
class Backend:
    """What flows, clients and the CLI work on. ``detached``: other processes may go on with its executions."""

    store: Store
    vault: Vault
    runner: Runner
    objects_url: str
    detached: bool = True


_lock = threading.Lock()
_open: dict[tuple[int, str, str], Backend] = {}
_used: Backend | None = None
_distrusts = False


def backend() -> Backend:
    """The backend of the current settings, or the one that ``using`` names.

    Raises:
        KitaruBackendError: when the database cannot be reached.
    """
    if _used is not None:
        return _used
    url = settings.database_url()
    objects = settings.artifact_store(url)
    key = (os.getpid(), url, objects)
    found = _open.get(key)
    if found is None:
        with _lock:
            found = _open.get(key) or _connect(url, objects)
            _open[key] = found
    return found


@contextmanager
def using(other: Backend) -> Generator[None]:
    """While this lasts, everything in this process works on ``other``."""
    global _used
    before, _used = _used, other
    try:
        yield
    finally:
        _used = before


def distrust_data() -> None:
    """From now on this process, which runs no flow, loads no pickle and imports no module that stored data names.

    Whatever the settings say; to be called before it reads anything.
    """
    global _distrusts
    _distrusts = True


def _connect(url: str, objects: str) -> Backend:
    store = open_store(url)
    atexit.register(_close, store, os.getpid())
    vault = Vault(store, objects, allow_pickle=not _distrusts and bool(settings.setting("allow_pickle")))
    return Backend(store, vault, Runner(store, vault, home() / "runners", _launch_ready), objects)


def _close(store: Store, owner: int) -> None:
    """Leave a database file that is whole without the log beside it, and no connection to be timed out."""
    if os.getpid() == owner:
        store.close()


def _launch_ready(exec_ids: list[str]) -> None:
    from kitaru.runners.local import launch_all

    found = backend()
    for error in launch_all(found.store, exec_ids, found.objects_url):
        logging.getLogger("kitaru").error("kitaru: %s", error)
