"""Executions on their way into this process: created, taken, run, and announced when they suspend."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from hashlib import blake2b

from kitaru import logs, observing
from kitaru.backend import Backend
from kitaru.engine.execution import Session
from kitaru.engine.run import FlowCode
from kitaru.errors import KitaruStateError
from kitaru.runners import local
from kitaru.store.protocol import Store
from kitaru.store.records import ExecutionRecord, JsonDict, Status, WaitKind, WaitRecord, WaitStatus

EXEC_ID_BYTES = 8


def new_exec_id() -> str:
    """A fresh execution id: ``kr-`` and 16 hexadecimal digits."""
    return f"kr-{secrets.token_hex(EXEC_ID_BYTES)}"


def child_exec_id(parent: str, call_id: str) -> str:
    """The id of the child that a call of a parent starts: always the same, so that it is started once."""
    return "kr-" + blake2b(f"{parent}/{call_id}".encode(), digest_size=EXEC_ID_BYTES).hexdigest()


def begin(backend: Backend, execution: ExecutionRecord, code: FlowCode, *, fresh: bool = False) -> Session:
    """Run an execution whose lease this process holds, on a thread of its own."""
    logs.capture()
    observing.install()
    session = Session(
        backend.runner, execution, code, prompt=_terminal_prompt(backend, execution.exec_id), fresh=fresh
    )
    session.on_suspended = lambda: announce(backend, execution)
    session.start()
    return session


def take_and_begin(
    backend: Backend, exec_id: str, code: FlowCode, store: Store | None = None
) -> Session | None:
    """Take an execution over and run it here; None when somebody else holds it or it has finished."""
    execution = backend.runner.take(exec_id, store)
    return None if execution is None else begin(backend, execution, code)


def announce(backend: Backend, execution: ExecutionRecord) -> None:
    """Say what a suspended execution waits for and how to answer, and see to it that timers are kept."""
    if not backend.detached:
        return
    exec_id = execution.exec_id
    row = backend.store.execution(exec_id)
    if row.status is not Status.WAITING:
        return
    pending = [w for w in backend.store.waits(exec_id) if w.status == WaitStatus.PENDING]
    questions = [w for w in pending if w.kind == WaitKind.INPUT]
    for wait in questions:
        print(_told(exec_id, wait, several=len(questions) > 1), file=sys.stderr)
    entry: JsonDict = execution.spec.get("entrypoint") or {}
    reason = entry.get("reason")
    if reason:
        print(
            f"kitaru: {exec_id} cannot be resumed by another process: {reason} Its journal is kept; "
            "`.wait()` on its handle goes on in this process.",
            file=sys.stderr,
        )
    elif row.wake_at is not None:
        local.ensure_timer(backend.store.url, backend.objects_url)


def _told(exec_id: str, wait: WaitRecord, *, several: bool) -> str:
    asked = f": {wait.question}" if wait.question else ""
    named = f" --wait {wait.name}" if several else ""
    return f"kitaru: {exec_id} waits for {wait.name!r}{asked}\n  kitaru executions input {exec_id}{named} --value JSON"


def _terminal_prompt(backend: Backend, exec_id: str) -> Callable[[WaitRecord], bool] | None:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def prompt(wait: WaitRecord) -> bool:
        from kitaru.answers import ask_in_terminal

        return ask_in_terminal(backend.store, backend.vault, exec_id, wait)

    return prompt


def owner_of(backend: Backend, execution: ExecutionRecord) -> str | None:
    """The live holder of an execution's lease, or None."""
    if execution.lease_owner is None or backend.runner.dead_owner(execution):
        return None
    if execution.lease_until is not None and execution.lease_until <= backend.store.now():
        return None
    return execution.lease_owner


def refuse_running(backend: Backend, execution: ExecutionRecord) -> None:
    """Raise ``KitaruStateError`` when a live runner holds the execution."""
    owner = owner_of(backend, execution)
    if owner is not None:
        host, pid, _ = owner.split("/")
        raise KitaruStateError(
            f"Execution {execution.exec_id} is running in process {pid} on {host}. Follow it with "
            f"`kitaru executions watch {execution.exec_id}`, or stop it with `kitaru executions cancel "
            f"{execution.exec_id}`."
        )
