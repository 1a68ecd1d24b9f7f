"""Runs a flow to its end within the test: in memory, its waits answered, its sleeps skipped."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from kitaru.backend import Backend, using
from kitaru.engine.runner import Runner
from kitaru.engine.vault import Vault
from kitaru.flows import Flow
from kitaru.handles import FlowHandle
from kitaru.store import open_store
from kitaru.store.records import WaitRecord
from kitaru.testing.clock import FakeClock
from kitaru.testing.surroundings import Surroundings

R = TypeVar("R")


def run(
    flow: Flow[..., R],
    *args: Any,
    answers: Mapping[str, Any] | None = None,
    clock: FakeClock | None = None,
    **kwargs: Any,
) -> FlowHandle[R]:
    """Run a flow until it has ended, on a store in memory, and return its handle.

    Nothing of it stays: no file, no process. A ``sleep`` or an ``expires`` of hours passes at once: when nothing else
    can happen the clock is set forward. Attempts follow each other without a pause.

    Args:
        flow: the flow.
        *args: its arguments.
        answers: wait name or id (``approve``, ``approve#2``) -> the answer, or a function that is given the open
            wait (its ``name``, ``question``, ``metadata``) and returns it. A wait that is not named here expires, if
            it can.
        clock: the time; default: a ``FakeClock`` at its default start.
        **kwargs: arguments and options of ``flow.run``.

    Raises:
        KitaruStateError: when the flow waits for an answer that was not given.
        KitaruWaitValidationError: when an answer does not match its wait's schema.

    Example:
        >>> import kitaru
        >>> from kitaru.testing import run
        >>> @kitaru.flow
        ... def publish(title: str) -> str:
        ...     kitaru.sleep(3600)
        ...     return title if kitaru.wait("approve") else "dropped"
        >>> run(publish, "Agents", answers={"approve": True}).get()
        'Agents'
    """
    time = clock or FakeClock()
    backend = _in_memory(time)
    given = dict(answers or {})
    with using(backend):
        handle = flow.run(*args, **kwargs)
        handle.until_suspended()
        around = Surroundings(backend, flow, lambda _, wait: answer_from(given, wait), time.advance)
        while not handle.status.is_finished:
            around.go_on(handle.exec_id)
    return handle


def answer_from(answers: Mapping[str, Any], wait: WaitRecord) -> tuple[bool, Any]:
    """Whether the answers name this wait, by its id or its name, and what they say."""
    for name in (wait.call_id, wait.name):
        if name in answers:
            given = answers[name]
            return True, given(wait) if callable(given) else given
    return False, None


def _in_memory(clock: FakeClock) -> Backend:
    folder = TemporaryDirectory(prefix="kitaru-testing-")
    store = open_store("sqlite:///:memory:", clock=clock)
    objects = str(Path(folder.name) / "objects")
    vault = Vault(store, objects)
    runner = Runner(store, vault, Path(folder.name) / "runners", lambda _: None, clock=clock)
    # The handle reads results from here for as long as it lives.
    weakref.finalize(runner, folder.cleanup)
    return Backend(store, vault, runner, objects, detached=False)
