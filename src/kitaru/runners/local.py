"""The local runner: detached processes on this machine, one for each execution that goes on."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from kitaru.errors import KitaruRuntimeError
from kitaru.home import home
from kitaru.store.protocol import Store
from kitaru.store.records import ExecutionRecord, JsonDict

DETACH = "import os, sys; os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)"


def launch(store: Store, execution: ExecutionRecord, objects_url: str) -> None:
    """Start a detached process that goes on with the execution. Returns when it was started, not when it runs.

    It inherits this process's environment, with the store's address added.

    Raises:
        KitaruRuntimeError: when the flow cannot be found by another process, or its interpreter is gone.
    """
    python = check(execution)
    _detached(python, "kitaru.runners.main", store.url, objects_url, execution.exec_id)


def check(execution: ExecutionRecord) -> str:
    """The interpreter that another process would run the flow with.

    Raises:
        KitaruRuntimeError: when no other process can find the flow, or the interpreter is gone.
    """
    entry: JsonDict = execution.spec.get("entrypoint") or {}
    if entry.get("kind") == "none":
        raise KitaruRuntimeError(
            f"Execution {execution.exec_id} cannot be resumed by another process: {entry['reason']} Nothing is lost: "
            "what is recorded stays. To go on, call `.wait()` on its handle in the process that started it, or put "
            "the flow into a file."
        )
    python = str(entry.get("python") or sys.executable)
    if not os.access(python, os.X_OK):
        raise KitaruRuntimeError(
            f"Execution {execution.exec_id} ran on the interpreter {python}, which is gone. Make it again (for example "
            f"`python -m venv`), then `kitaru executions resume {execution.exec_id}`."
        )
    return python


def preflight(
    store: Store, execution: ExecutionRecord, objects_url: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Let a process on the flow's own interpreter say what the code as it stands now does with the execution.

    Raises:
        KitaruRuntimeError: as ``check``.
        subprocess.TimeoutExpired: after ``timeout`` seconds; the process was killed.
    """
    return subprocess.run(
        [check(execution), "-m", "kitaru.runners.preflight", execution.exec_id],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_environment(store.url, objects_url),
        timeout=timeout,
        check=False,
    )


def launch_all(store: Store, exec_ids: Iterable[str], objects_url: str) -> list[KitaruRuntimeError]:
    """Launch each; returns the errors of those that could not be."""
    errors: list[KitaruRuntimeError] = []
    for exec_id in exec_ids:
        try:
            launch(store, store.execution(exec_id), objects_url)
        except KitaruRuntimeError as error:
            errors.append(error)
    return errors


def ensure_timer(store_url: str, objects_url: str) -> None:
    """Start the store's timer process, unless it runs already."""
    with open(timer_lock(store_url), "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    _detached(sys.executable, "kitaru.runners.timer", store_url, objects_url)


def timer_lock(store_url: str) -> Path:
    """The file that a store's timer process keeps locked."""
    folder = home() / "runners"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"timer-{blake2b(store_url.encode(), digest_size=8).hexdigest()}.pid"


def _detached(python: str, module: str, store_url: str, objects_url: str, *arguments: str) -> None:
    folder = home() / "runners"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / f"{arguments[0] if arguments else 'timer'}.log"
    with open(log, "ab") as output:
        # A process between starts it and ends, so that nobody has to wait for it and no terminal can end it.
        subprocess.run(
            [python, "-I", "-S", "-c", DETACH, python, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=_environment(store_url, objects_url),
            check=True,
        )


def _environment(store_url: str, objects_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "KITARU_DATABASE_URL": store_url,
        "KITARU_ARTIFACT_STORE": objects_url,
        "KITARU_CONFIG_PATH": str(home()),
        "PYTHONPATH": _python_path(),
    }


def _python_path() -> str:
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.pathsep.join(dict.fromkeys(paths))
