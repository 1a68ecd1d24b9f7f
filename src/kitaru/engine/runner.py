"""The runner: this process as the holder of executions. It beats for all of them and tells what they do."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from kitaru.engine.hostlock import RunnerLock, is_dead
from kitaru.engine.interrupts import ASYNC_RAISABLE
from kitaru.engine.run import Run
from kitaru.engine.signals import FlowSignal, LeaseLost
from kitaru.engine.vault import Vault
from kitaru.errors import KitaruBackendError
from kitaru.redaction import redactor
from kitaru.store.protocol import Store
from kitaru.store.records import ExecutionRecord, LogRecord, StartRecord

logger = logging.getLogger("kitaru")

LEASE_SECONDS = 30.0
BEAT_SECONDS = 10.0
SIGNAL_SECONDS = 0.5
TICK_SECONDS = 0.2
TELL_AFTER = 0.3
SWITCH_INTERVAL = 0.0005


def boot_clock() -> float:
    """Seconds on a clock that runs on while the machine sleeps, so that a lease cannot outlive a nap."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Runner:
    """Holds the executions that run in this process under leases of one owner.

    ``on_ready`` is called with the ids of executions that an end here made ready to go on. With a ``clock`` of their
    own, flows do not spend real time: none stays alive for a wait that may end soon, or pauses between attempts.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        lock_folder: Path,
        on_ready: Callable[[list[str]], None],
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        self.vault = vault
        self.on_ready = on_ready
        self.lock_folder = lock_folder
        self.in_real_time = clock is None
        self.clock = clock or time.time
        self._lock = threading.Lock()
        self._held: dict[str, Run] = {}
        self._deadline: dict[str, float] = {}
        self._running: dict[tuple[str, str], StartRecord] = {}
        self._told: set[tuple[str, str]] = set()
        self._logs: list[LogRecord] = []
        self._ticker: threading.Thread | None = None

    @cached_property
    def lock(self) -> RunnerLock:
        """This process's place among the runners of the host; made when the first execution is held.

        Raises ``KitaruBackendError`` when its folder cannot be written.
        """
        try:
            return RunnerLock(self.lock_folder)
        except OSError as error:
            raise KitaruBackendError(
                f"The folder {self.lock_folder}, in which a runner says that it lives, cannot be written: "
                f"{error.strerror}. Look at its rights and its disk (`ls -la`, `df -h`), or name another folder in "
                "KITARU_CONFIG_PATH."
            ) from error

    @property
    def owner(self) -> str:
        """The name under which this process holds leases."""
        return self.lock.owner

    @cached_property
    def committers(self) -> ThreadPoolExecutor:
        """Threads that commit for event loops."""
        return ThreadPoolExecutor(8, thread_name_prefix="kitaru-commit")

    def take(self, exec_id: str, store: Store | None = None) -> ExecutionRecord | None:
        """Take an execution's lease, at once from an owner that is known to be dead; None while somebody holds it.

        ``store``: the one of the run that asks for it, if any.
        """
        store = store or self.store
        row = store.execution(exec_id)
        return store.take(exec_id, self.owner, LEASE_SECONDS, dead_owner=self.dead_owner(row))

    def dead_owner(self, row: ExecutionRecord) -> str | None:
        """The holder of the lease when it is known to be dead."""
        if row.lease_owner is None or not is_dead(self.lock_folder, row.lease_owner):
            return None
        return row.lease_owner

    # ---------------------------------------------------------------- holding

    def hold(self, run: Run, leased_at: float) -> None:
        """From now on this process beats for the run, whose lease was taken at ``leased_at`` by the boot clock."""
        with self._lock:
            self._held[run.exec_id] = run
            self._deadline[run.exec_id] = leased_at + LEASE_SECONDS
            if self._ticker is None or not self._ticker.is_alive():
                # One busy thread would otherwise keep the committing thread waiting for 5 ms at every switch.
                sys.setswitchinterval(SWITCH_INTERVAL)
                self._ticker = threading.Thread(target=self._tick, name="kitaru-heartbeat", daemon=True)
                self._ticker.start()

    def let_go(self, run: Run) -> None:
        """The run's lease was given back."""
        with self._lock:
            self._held.pop(run.exec_id, None)
            self._deadline.pop(run.exec_id, None)

    def holds(self, exec_id: str) -> bool:
        """True while this process runs the execution."""
        with self._lock:
            return exec_id in self._held

    def held(self) -> list[Run]:
        """The runs of this process."""
        with self._lock:
            return list(self._held.values())

    def ensure_lease(self, run: Run) -> None:
        """Raise ``LeaseLost`` unless the lease is alive; beats when this machine, or the storage, was too slow to."""
        while boot_clock() >= self._deadline.get(run.exec_id, 0.0):
            if not self.holds(run.exec_id):
                run.interrupt(LeaseLost(run.exec_id))
            # A beat that took longer than the lease says nothing about now: then it is sent again.
            run.check_open()
            self._beat(run.store)
            run.check_open()

    def _tick(self) -> None:
        next_beat = boot_clock() + BEAT_SECONDS
        next_look = boot_clock() + SIGNAL_SECONDS
        fails = False
        while True:
            time.sleep(TICK_SECONDS)
            try:
                reached = boot_clock() >= min(next_beat, next_look)
                if boot_clock() >= next_beat:
                    next_beat = boot_clock() + SIGNAL_SECONDS
                    self._beat(self.store)
                    next_beat = boot_clock() + BEAT_SECONDS
                elif reached:
                    next_look = boot_clock() + SIGNAL_SECONDS
                    self._look()
                self.flush(self.store, older_than=TELL_AFTER)
            except KitaruBackendError as error:
                # The leases run out by themselves; no body starts once they have.
                if not fails:
                    logger.warning("kitaru: the heartbeat fails; it goes on trying: %s", error)
                fails = True
            else:
                fails = fails and not reached

    def _epochs(self) -> dict[str, int]:
        return {run.exec_id: run.journal.epoch for run in self.held()}

    def _beat(self, store: Store) -> None:
        epochs = self._epochs()
        if not epochs:
            return
        before = boot_clock()
        for exec_id, beat in store.heartbeat(self.owner, epochs, LEASE_SECONDS).items():
            with self._lock:
                if beat.held and exec_id in self._deadline:
                    self._deadline[exec_id] = before + LEASE_SECONDS
            self._tell_run(exec_id, beat.held, beat.cancel_requested)

    def _look(self) -> None:
        epochs = self._epochs()
        if epochs:
            for exec_id, beat in self.store.signals(self.owner, epochs).items():
                self._tell_run(exec_id, beat.held, beat.cancel_requested)

    def _tell_run(self, exec_id: str, held: bool, cancel_requested: bool) -> None:
        with self._lock:
            run = self._held.get(exec_id)
        if run is None:
            return
        run.beat(held=held, cancel_requested=cancel_requested)
        if run.signal is not None:
            self.raise_in_bodies(run, run.signal)

    def raise_in_bodies(self, run: Run, signal: FlowSignal) -> None:
        """Tell the bodies that run that their execution was closed."""
        kind = ASYNC_RAISABLE.get(type(signal))
        if kind is not None:
            run.bodies.tell(kind)

    # ---------------------------------------------------------------- telling

    def started(self, run: Run, start: StartRecord) -> None:
        """A body starts. Told a little later, if it still runs then; at once when this call may be what kills."""
        with self._lock:
            self._running[run.exec_id, start.call_id] = start
        if run.execution.takeovers:
            self.flush(run.store)

    def ended(self, run: Run, call_id: str) -> None:
        """A body has ended."""
        with self._lock:
            self._running.pop((run.exec_id, call_id), None)
            self._told.discard((run.exec_id, call_id))

    def progress(self, exec_id: str, call_id: str, progress: dict[str, object]) -> None:
        """A body says how far it is."""
        with self._lock:
            start = self._running.get((exec_id, call_id))
            if start is not None:
                start.progress = redactor.anything(progress)
                self._told.discard((exec_id, call_id))

    def log(self, record: LogRecord) -> None:
        """A line was printed or logged."""
        record.message = redactor.text(record.message)
        with self._lock:
            self._logs.append(record)

    def flush(self, store: Store, *, older_than: float = 0.0) -> None:
        """Write what was not told yet: lines, and bodies that have been running for ``older_than`` seconds."""
        now = time.time()
        with self._lock:
            starts = [
                start
                for key, start in self._running.items()
                if key not in self._told and (start.progress or now - start.started_at >= older_than)
            ]
            self._told |= {(s.exec_id, s.call_id) for s in starts}
            logs, self._logs = self._logs, []
        if not starts and not logs:
            return
        try:
            store.tell(starts=starts, logs=logs)
        except BaseException:
            with self._lock:
                self._told -= {(s.exec_id, s.call_id) for s in starts}
                self._logs = logs + self._logs
            raise
