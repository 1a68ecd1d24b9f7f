"""Scripts as people write them: without a guard, with two flows, with functions after the start."""

from __future__ import annotations

from tests.recovery.conftest import Stage

UNGUARDED = """
@kitaru.checkpoint
def work():
    ran("work")
    return 1

@kitaru.flow
def unguarded(topic):
    return work() + later(kitaru.wait("number", schema=int))

handle = unguarded.run("Durable agents")

def later(number):
    return number * 10

ran(f"top level {handle.exec_id}")
"""


def test_a_script_without_a_guard_is_not_started_again(stage: Stage) -> None:
    process, exec_id = stage.start(UNGUARDED)
    process.succeed()
    stage.client.executions.input(exec_id, value=4)
    done = stage.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == 41
    assert stage.ran().count("work") == 1
    assert len(stage.client.executions.list()) == 1
    assert {line for line in stage.ran() if line != "work"} == {f"top level {exec_id}"}


BLOCKING = """
@kitaru.flow
def first():
    return 5

print(first.run().wait())

@kitaru.checkpoint
def work():
    ran("work")
    return 2

@kitaru.flow
def second():
    return work() * kitaru.wait("number", schema=int)

result = second.run().wait()
ran(f"result {result}")
"""


def test_a_script_that_blocks_on_its_flows_is_loaded_as_far_as_it_had_come(stage: Stage) -> None:
    process, _ = stage.start(BLOCKING)
    second = stage.until_flow("second")
    stage.client.executions.input(second, value=21)
    stage.until(second, "completed")
    process.succeed()
    assert stage.ran() == ["work", "result 42"], "the script that waited goes on, the loaded one does not"
    assert len(stage.client.executions.list()) == 2


def test_it_resumes_when_the_script_was_killed(stage: Stage) -> None:
    process, _ = stage.start(BLOCKING)
    second = stage.until_flow("second")
    process.kill_group()
    stage.client.executions.input(second, value=21)
    done = stage.until(second, "completed")
    assert done.result is not None
    assert done.result.load() == 42
    assert stage.ran() == ["work"]


def test_a_flow_typed_into_the_command_line_says_that_no_other_process_can_go_on(stage: Stage) -> None:
    text = """
import kitaru
@kitaru.flow
def typed():
    return kitaru.wait("go")
typed.run()
"""
    output = stage.python.run("-c", text)
    assert "cannot be resumed by another process" in output
    (execution,) = stage.client.executions.list()
    answered = stage.python.kitaru("executions", "input", execution.exec_id, "--value", "true")
    assert answered.returncode == 1
    assert "Put it into a .py file" in answered.stderr
    assert stage.client.executions.get(execution.exec_id).status == "waiting", "nothing is lost"
