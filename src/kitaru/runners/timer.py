"""The timer process of a store: launches what is due or ready, and ends when nothing has a time any more.

One a store and machine, by a file lock: ``python -m kitaru.runners.timer``.
"""

from __future__ import annotations

import fcntl
import os
import time

from kitaru import backend as connection
from kitaru.runners.local import launch_all, timer_lock

LOOK_SECONDS = 1.0
RELAUNCH_SECONDS = 10.0
GIVE_UP_SECONDS = 3600.0


def main() -> None:
    """Run until nothing is pending; at once over when another timer process serves the same store."""
    backend = connection.backend()
    lock = os.open(timer_lock(backend.store.url), os.O_CREAT | os.O_RDWR, 0o600)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not _serve(backend):
            return
        fcntl.flock(lock, fcntl.LOCK_UN)
        # Somebody may have suspended, and found this lock taken, after the last look.
        if backend.store.next_wake() is None:
            return


def _serve(backend: connection.Backend) -> bool:
    """True when nothing is pending; False when what is left could not be launched for long."""
    store = backend.store
    # When each may be launched again, and after how long the next time: a flow that cannot be loaded stays ready.
    again: dict[str, tuple[float, float]] = {}
    while (due := store.next_wake()) is not None or again:
        ready = store.wakeable()
        again = {exec_id: when for exec_id, when in again.items() if exec_id in ready}
        now = time.monotonic()
        fresh = [exec_id for exec_id in ready if again.get(exec_id, (0.0, 0.0))[0] <= now]
        for error in launch_all(store, fresh, backend.objects_url):
            print(error, flush=True)
        for exec_id in fresh:
            delay = again.get(exec_id, (0.0, RELAUNCH_SECONDS))[1]
            again[exec_id] = (now + delay, delay * 2)
        if any(delay > GIVE_UP_SECONDS for _, delay in again.values()):
            return False
        left = LOOK_SECONDS if due is None else max(0.05, due - store.now())
        time.sleep(min(LOOK_SECONDS, left))
    return True


if __name__ == "__main__":
    main()
