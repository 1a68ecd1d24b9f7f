"""A runner that was stopped past its lease and wakes up does no harm; a child is started once over a kill."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing

import pytest

from kitaru.store import open_store
from tests.recovery.conftest import Stage
from tests.support.processes import wait_until

SLOW = """
@kitaru.checkpoint
def step(number):
    ran(f"step {number} by {'zombie' if not (HERE / 'second').exists() else 'second'}")
    block_until(f"gate {number}")
    return number

@kitaru.flow
def slow():
    return [step(1), step(2), step(3)]

if __name__ == "__main__":
    slow.run()
"""

SLOW_ASYNC = SLOW.replace("@kitaru.checkpoint\ndef step", "@kitaru.checkpoint\nasync def step").replace(
    "@kitaru.flow\ndef slow():\n    return [step(1), step(2), step(3)]",
    "@kitaru.flow\nasync def slow():\n    return [await step(1), await step(2), await step(3)]",
)


def lease_runs_out(stage: Stage, exec_id: str) -> None:
    """As if so much time had passed on the database's clock; the stopped runner's own clock knows nothing of it."""
    with closing(open_store(stage.database_url, clock=lambda: time.time() + 3600)) as store:
        taken = store.take(exec_id, "elsewhere/1/0", 0.0)
        assert taken is not None
        store.release(exec_id, taken.epoch)


@pytest.mark.parametrize("text", [SLOW, SLOW_ASYNC], ids=["sync", "async"])
def test_a_zombie_records_nothing_says_so_and_ends(both: Stage, text: str) -> None:
    zombie, exec_id = both.start(text)
    both.open("gate 1")
    wait_until(lambda: "step 2 by zombie" in both.ran(), "the second step")
    os.kill(zombie.pid, signal.SIGSTOP)
    lease_runs_out(both, exec_id)
    both.open("second")
    both.open("gate 2")
    both.resume(exec_id)
    wait_until(lambda: "step 3 by second" in both.ran(), "the second runner at the third step")
    os.kill(zombie.pid, signal.SIGCONT)
    assert "was taken over by another runner; this one stops" in zombie.succeed()
    both.open("gate 3")
    done = both.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == [1, 2, 3]
    assert both.ran() == ["step 1 by zombie", "step 2 by zombie", "step 2 by second", "step 3 by second"]
    assert [call.attempts for call in done.checkpoints] == [1, 1, 1]


FAMILY = """
@kitaru.checkpoint
def inside():
    ran("inside")
    block_until("gate")
    return "child"

@kitaru.flow
def child():
    return inside()

@kitaru.flow
def parent():
    return "parent of " + child.run().wait()

if __name__ == "__main__":
    parent.run()
"""


def suspended(stage: Stage, exec_id: str) -> None:
    """As if its runner had released the compute in the moment before it died."""
    with closing(open_store(stage.database_url, clock=lambda: time.time() + 3600)) as store:
        taken = store.take(exec_id, "elsewhere/1/0", 0.0)
        assert taken is not None
        assert store.suspend(exec_id, taken.epoch, 0.0)


@pytest.mark.parametrize("asleep", [False, True])
def test_a_child_is_started_once_over_a_kill(both: Stage, asleep: bool) -> None:
    process = both.python.start(both.write(FAMILY))
    wait_until(lambda: both.ran() == ["inside"], "the child's checkpoint")
    (found,) = both.client.executions.list(flow="parent")
    with closing(open_store(both.database_url)) as store:
        wait_until(lambda: store.waits(found.exec_id), "the parent to wait for its child")
    process.kill_group()
    both.open("gate")
    if asleep:
        suspended(both, found.exec_id)
    both.resume(found.exec_id)
    done = both.until(found.exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == "parent of child"
    assert len(both.client.executions.list(flow="child")) == 1
    assert both.ran() == ["inside", "inside"]
