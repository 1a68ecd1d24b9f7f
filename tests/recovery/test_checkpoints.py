"""A process that dies in a checkpoint: what was recorded is not run again."""

from __future__ import annotations

from tests.recovery.conftest import Stage
from tests.support.processes import wait_until

SEQUENTIAL = """
@kitaru.checkpoint
def step(number):
    ran(number)
    if number == 51:
        block_until("gate")
    return number

@kitaru.flow
def hundred():
    return sum(step(number) for number in range(1, 101))

if __name__ == "__main__":
    hundred.run()
"""

ASYNC = """
@kitaru.checkpoint
async def step(number):
    ran(number)
    while number == 51 and not (HERE / "gate").exists():
        await asyncio.sleep(0.02)
    return number

@kitaru.flow
async def hundred():
    return sum([await step(number) for number in range(1, 101)])

if __name__ == "__main__":
    hundred.run()
"""

MAPPED = """
@kitaru.checkpoint
def step(number):
    ran(f"begin {number}")
    if number % 2:
        block_until("gate")
    ran(f"end {number}")
    return number

@kitaru.flow
def sixteen():
    return sum(future.result() for future in step.map(range(16)))

if __name__ == "__main__":
    sixteen.run()
"""

EXPECTED = [str(number) for number in range(1, 52)]


def test_resume_runs_51_to_100_and_nothing_else(both: Stage) -> None:
    process, exec_id = both.start(SEQUENTIAL)
    both.kill_at(process, "51")
    both.open("gate")
    both.resume(exec_id)
    done = both.until(exec_id, "completed")
    assert both.ran() == EXPECTED + [str(number) for number in range(51, 101)]
    assert done.result is not None
    assert done.result.load() == 5050


def test_an_async_flow_resumes_likewise(both: Stage) -> None:
    process, exec_id = both.start(ASYNC)
    both.kill_at(process, "51")
    both.open("gate")
    both.resume(exec_id)
    both.until(exec_id, "completed")
    assert both.ran() == EXPECTED + [str(number) for number in range(51, 101)]


def test_a_map_with_16_in_flight_runs_only_what_was_not_recorded(both: Stage) -> None:
    process, exec_id = both.start(MAPPED)
    wait_until(lambda: len([line for line in both.ran() if "begin" in line]) == 16, "16 in flight")
    wait_until(
        lambda: len(both.client.executions.get(exec_id).checkpoints) == 8, "the even ones to be recorded"
    )
    process.kill_group()
    both.open("gate")
    both.resume(exec_id)
    done = both.until(exec_id, "completed")
    ends = sorted(int(line.removeprefix("end ")) for line in both.ran() if line.startswith("end"))
    assert ends == list(range(16))
    assert done.result is not None
    assert done.result.load() == sum(range(16))


FIXED = SEQUENTIAL.replace("block_until", 'raise ValueError("a bug")  # block_until')


def test_a_fixed_flow_is_retried_from_the_failure(stage: Stage) -> None:
    process, exec_id = stage.start(FIXED)
    failed = stage.until(exec_id, "failed")
    process.wait()
    assert failed.failure is not None
    assert (failed.failure.origin, failed.failure.type) == ("user_code", "ValueError")
    stage.open("gate")
    stage.write(SEQUENTIAL)
    assert stage.python.kitaru("executions", "retry", exec_id).returncode == 0
    stage.until(exec_id, "completed")
    assert stage.ran() == EXPECTED + [str(number) for number in range(51, 101)]


def test_a_module_edited_between_kill_and_resume_is_used(stage: Stage) -> None:
    process, exec_id = stage.start(SEQUENTIAL)
    stage.kill_at(process, "51")
    stage.write(
        SEQUENTIAL.replace("return number\n", "return number * (2 if number > 51 else 1)\n").replace(
            "== 51", "== -1"
        )
    )
    stage.resume(exec_id)
    done = stage.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == sum(range(1, 52)) + 2 * sum(range(52, 101))


DIVERGING = """
@kitaru.checkpoint
def step(number):
    ran(number)
    if number == 2:
        block_until("gate")
    return number

@kitaru.flow
def two():
    return step(1) + step(2)

if __name__ == "__main__":
    two.run()
"""


def test_another_argument_at_a_recorded_call_diverges(stage: Stage) -> None:
    process, exec_id = stage.start(DIVERGING)
    stage.kill_at(process, "2")
    stage.open("gate")
    stage.write(DIVERGING.replace("step(1) + ", "step(7) + "))
    stage.resume(exec_id)
    failed = stage.until(exec_id, "failed")
    assert failed.failure is not None
    assert failed.failure.origin == "divergence"
    for named in ("'step#1'", "'number' was 1", "is 7 now", "kitaru executions replay"):
        assert named in failed.failure.message
    assert stage.ran() == ["1", "2"], "nothing ran"


RETRYING = """
@kitaru.checkpoint(retries=3, backoff=1.0)
def step():
    ran(f"attempt {kitaru.current().attempt}")
    if kitaru.current().attempt < 3:
        raise ConnectionError("not yet")
    return kitaru.current().attempt

@kitaru.flow
def retrying():
    return step()

if __name__ == "__main__":
    retrying.run()
"""


def test_a_kill_during_a_backoff_repeats_no_attempt(both: Stage) -> None:
    process, exec_id = both.start(RETRYING)
    wait_until(lambda: both.client._backend.store.attempts(exec_id), "the first attempt to be recorded")
    process.kill_group()
    both.resume(exec_id)
    done = both.until(exec_id, "completed")
    assert both.ran() == ["attempt 1", "attempt 2", "attempt 3"]
    assert [a.attempt for a in done.checkpoints[0].failed_attempts] == [1, 2]


DYING = """
import signal

@kitaru.checkpoint
def fine():
    ran("fine")

@kitaru.checkpoint
def deadly():
    ran("deadly")
    os.kill(os.getpid(), signal.SIGKILL)

@kitaru.flow
def doomed():
    fine()
    deadly()

if __name__ == "__main__":
    doomed.run()
"""


def test_a_runner_that_dies_five_times_at_one_call_is_a_crash_loop(stage: Stage) -> None:
    process, exec_id = stage.start(DYING)
    process.wait()
    for deaths in range(1, 5):
        stage.resume(exec_id)
        wait_until(lambda count=deaths + 1: stage.ran().count("deadly") == count, "the next death")
        wait_until(lambda: _holder_is_dead(stage, exec_id), "the runner to be gone")
    stage.resume(exec_id)
    failed = stage.until(exec_id, "failed")
    assert failed.failure is not None
    assert failed.failure.origin == "crash_loop"
    assert "'deadly#1'" in failed.failure.message
    assert stage.ran() == ["fine"] + ["deadly"] * 5


def _holder_is_dead(stage: Stage, exec_id: str) -> bool:
    backend = stage.client._backend
    return backend.runner.dead_owner(backend.store.execution(exec_id)) is not None
