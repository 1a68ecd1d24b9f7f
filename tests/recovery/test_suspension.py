"""Waits, sleeps and children over the death of processes."""

from __future__ import annotations

import pytest

from kitaru.errors import KitaruStateError, KitaruWaitValidationError
from tests.recovery.conftest import Stage
from tests.support.processes import wait_until

ASKING = """
@kitaru.checkpoint
def before():
    ran("before")
    return "draft"

@kitaru.checkpoint
def after(draft):
    ran("after")
    return draft + ", published"

@kitaru.flow
def asking():
    draft = before()
    approved = kitaru.wait("approve", question="Publish?", schema=bool)
    return after(draft) if approved else "not published"

if __name__ == "__main__":
    asking.run()
"""


def test_the_process_ends_and_an_answer_goes_on_in_another(both: Stage) -> None:
    process, exec_id = both.start(ASKING)
    process.succeed()
    assert both.client.executions.get(exec_id).status == "waiting"
    both.client.executions.input(exec_id, value=True)
    done = both.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == "draft, published"
    assert both.ran() == ["before", "after"]


def test_each_wrong_answer_has_its_error_and_changes_nothing(stage: Stage) -> None:
    process, exec_id = stage.start(ASKING)
    process.succeed()
    executions = stage.client.executions
    with pytest.raises(KitaruWaitValidationError):
        executions.input(exec_id, value="perhaps")
    with pytest.raises(KitaruStateError, match="waits for 'approve'"):
        executions.resume(exec_id)
    assert stage.python.kitaru("executions", "resume", exec_id).returncode == 1
    assert executions.get(exec_id).status == "waiting"
    executions.input(exec_id, value=False)
    with pytest.raises(KitaruStateError):
        executions.input(exec_id, value=True)
    done = stage.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == "not published"
    late = stage.python.kitaru("executions", "input", exec_id, "--value", "true")
    assert (late.returncode, "completed" in late.stderr) == (1, True)


def test_a_waiting_execution_is_cancelled_at_once(stage: Stage) -> None:
    process, exec_id = stage.start(ASKING)
    process.succeed()
    assert stage.client.executions.cancel(exec_id).status == "cancelled"
    seen = stage.python.kitaru("executions", "get", exec_id, "-o", "json")
    assert '"status": "cancelled"' in seen.stdout
    with pytest.raises(KitaruStateError, match="cancelled"):
        stage.client.executions.input(exec_id, value=True)


HOLDING = ASKING.replace("schema=bool)", "schema=bool, timeout=600)")


def test_a_kill_while_the_runner_waits(both: Stage) -> None:
    process, exec_id = both.start(HOLDING)
    wait_until(lambda: both.client.executions.pending_waits(exec_id), "the question")
    process.kill_group()
    both.client.executions.input(exec_id, value=True)
    both.until(exec_id, "completed")
    assert both.ran() == ["before", "after"]


def test_an_answer_while_the_runner_holds_starts_no_second_one(stage: Stage) -> None:
    process, exec_id = stage.start(HOLDING)
    wait_until(lambda: stage.client.executions.pending_waits(exec_id), "the question")
    epoch = stage.client._backend.store.execution(exec_id).epoch
    stage.client.executions.input(exec_id, value=True)
    process.succeed()
    stage.until(exec_id, "completed")
    assert stage.client._backend.store.execution(exec_id).epoch == epoch


SLEEPING = """
@kitaru.checkpoint
def note(line):
    ran(line)

@kitaru.flow
def sleeping():
    note("before")
    kitaru.sleep(SECONDS)
    note("after")

if __name__ == "__main__":
    sleeping.run()
"""


def test_a_sleeping_flow_is_woken_though_its_process_has_ended(both: Stage) -> None:
    process, exec_id = both.start(SLEEPING.replace("SECONDS", "3"))
    process.succeed()
    both.until(exec_id, "completed")
    assert both.ran() == ["before", "after"]


def test_a_kill_in_a_short_sleep_keeps_its_due_time(stage: Stage) -> None:
    process, exec_id = stage.start(SLEEPING.replace("SECONDS", "0.9"))
    store = stage.client._backend.store
    (wait,) = wait_until(lambda: store.waits(exec_id), "the timer")
    process.kill_group()
    stage.resume(exec_id)
    stage.until(exec_id, "completed")
    assert store.waits(exec_id)[0].due_at == wait.due_at
    assert stage.ran() == ["before", "after"]


GATHERED = """
@kitaru.flow
async def gathered():
    legal, brand = await asyncio.gather(
        aio.wait("legal", schema=int), aio.wait("brand", schema=int)
    )
    return legal * 10 + brand

if __name__ == "__main__":
    gathered.run()
"""


@pytest.mark.parametrize("order", [("legal", "brand"), ("brand", "legal")])
def test_open_waits_are_answered_in_any_order(stage: Stage, order: tuple[str, str]) -> None:
    process, exec_id = stage.start(GATHERED)
    process.succeed()
    values = {"legal": 4, "brand": 2}
    for name in order:
        stage.client.executions.input(exec_id, wait=name, value=values[name])
    done = stage.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == 42


FAMILY = """
@kitaru.checkpoint
def work(line):
    ran(line)
    return line

@kitaru.flow
def child(name):
    work(f"child {name}")
    return kitaru.wait("go", schema=int)

@kitaru.flow
def parent():
    work("parent before")
    handle = child.run("a")
    ran("started")
    got = handle.wait()
    work("parent after")
    return got + 1

if __name__ == "__main__":
    parent.run()
"""


def test_a_parent_is_suspended_while_its_child_waits(both: Stage) -> None:
    process = both.python.start(both.write(FAMILY))
    process.succeed()
    executions = both.client.executions
    (parent,) = executions.list(flow="parent")
    (child,) = executions.list(flow="child")
    assert child.parent_exec_id == parent.exec_id
    assert (both.until(parent.exec_id, "waiting").status, child.status) == ("waiting", "waiting")
    executions.input(child.exec_id, value=41)
    done = both.until(parent.exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == 42
    assert len(executions.list(flow="child")) == 1
    assert [line for line in both.ran() if line != "started"] == ["parent before", "child a", "parent after"]


def test_cancelling_a_parent_cancels_its_children(stage: Stage) -> None:
    stage.python.start(stage.write(FAMILY)).succeed()
    executions = stage.client.executions
    (parent,), (child,) = executions.list(flow="parent"), executions.list(flow="child")
    stage.until(parent.exec_id, "waiting")
    executions.cancel(parent.exec_id)
    stage.until(parent.exec_id, "cancelled")
    assert executions.get(child.exec_id).status == "cancelled"
