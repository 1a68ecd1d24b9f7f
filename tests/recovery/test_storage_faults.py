"""Writes that fail in the middle of a flow: it goes on when they succeed again, and nothing runs twice or is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kitaru.models import Execution
from tests.recovery.conftest import Stage
from tests.recovery.faults import GOES_ON, WAITS, FaultyStorage, until_said
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_for_line, wait_until

SEQUENTIAL = """
import random
@kitaru.checkpoint
def step(number):
    ran(number)
    if number == 5:
        block_until("gate")
    kitaru.save("square", number * number)
    return random.Random(number).randbytes(100_000 if number % 5 == 0 else 1)

@kitaru.flow
def steps():
    for number in range(1, 11):
        step(number)
    kitaru.log(done=True)
    return [len(step(number)) for number in range(11, 21)]

if __name__ == "__main__":
    print(steps.run().wait())
"""

ASYNC = """
import random
@kitaru.checkpoint
async def step(number):
    ran(number)
    while number == 5 and not (HERE / "gate").exists():
        await asyncio.sleep(0.02)
    kitaru.save("square", number * number)
    return random.Random(number).randbytes(100_000 if number % 5 == 0 else 1)

@kitaru.flow
async def steps():
    for number in range(1, 6):
        await step(number)
    await asyncio.gather(*[step(number) for number in range(6, 11)])
    kitaru.log(done=True)
    return [len(await step(number)) for number in range(11, 21)]

if __name__ == "__main__":
    print(steps.run().wait())
"""

RESULT = [100_000 if number % 5 == 0 else 1 for number in range(11, 21)]

PARALLEL = """
@kitaru.checkpoint
def step(number):
    ran(number)
    block_until("gate")
    kitaru.save("square", number * number)
    return number

@kitaru.flow
def steps():
    return sum(future.result() for future in step.map(range(16)))

if __name__ == "__main__":
    print(steps.run().wait())
"""


@pytest.fixture
def database(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database in a folder of its own, with its object storage."""
    folder = stage.python.folder / "storage"
    url = f"sqlite:///{folder}/kitaru.db"
    monkeypatch.setenv("KITARU_DATABASE_URL", url)
    stage.python.environment["KITARU_DATABASE_URL"] = url
    return folder


def finished(stage: Stage, exec_id: str) -> Execution:
    """The execution, of which every step is recorded once."""
    done = stage.until(exec_id, "completed")
    steps = Counter(call.call_id for call in done.checkpoints if call.name == "step")
    assert set(steps.values()) == {1}
    assert len([ref for ref in done.artifacts if ref.name == "square"]) == len(steps)
    return done


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("text", [SEQUENTIAL, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize("part", ["kitaru.db", "objects"])
def test_a_flow_rides_out_writes_that_fail(
    stage: Stage, database: Path, text: str, error: str, part: str
) -> None:
    storage = FaultyStorage(stage.python, database / part)
    process, exec_id = stage.start(text)
    wait_for_line(stage.side, "5")
    acknowledged = len(stage.client.executions.get(exec_id).checkpoints)
    assert acknowledged == 4
    storage.begin(error)
    stage.open("gate")
    storage.until_failed(5)
    until_said(process, WAITS)
    assert len(stage.client.executions.get(exec_id).checkpoints) == acknowledged
    storage.end()
    assert str(RESULT) in process.succeed()
    assert process.output.count(WAITS) == process.output.count(GOES_ON) == 1
    assert Counter(stage.ran()) == {str(number): 1 for number in range(1, 21)}
    done = finished(stage, exec_id)
    assert done.result is not None
    assert done.result.load() == RESULT


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_sixteen_that_commit_together_ride_it_out(stage: Stage, database: Path, error: str) -> None:
    storage = FaultyStorage(stage.python, database / "kitaru.db")
    process, exec_id = stage.start(PARALLEL)
    for number in range(16):
        wait_for_line(stage.side, str(number))
    storage.begin(error)
    stage.open("gate")
    storage.until_failed(30)
    storage.end()
    process.succeed()
    assert Counter(stage.ran()) == {str(number): 1 for number in range(16)}
    assert len(finished(stage, exec_id).checkpoints) == 16


@pytest.mark.parametrize("part", ["kitaru.db", "objects"])
def test_killed_while_it_waits_it_resumes_from_what_was_acknowledged(
    stage: Stage, database: Path, part: str
) -> None:
    storage = FaultyStorage(stage.python, database / part)
    process, exec_id = stage.start(SEQUENTIAL)
    wait_for_line(stage.side, "5")
    storage.begin("EIO")
    stage.open("gate")
    until_said(process, WAITS)
    process.kill_group()
    storage.end()
    stage.resume(exec_id)
    done = finished(stage, exec_id)
    # What step 5 returned was not acknowledged.
    assert Counter(stage.ran()) == {str(number): 2 if number == 5 else 1 for number in range(1, 21)}
    assert done.result is not None
    assert done.result.load() == RESULT


WAITING = """
@kitaru.flow
def waits():
    answer = kitaru.wait("approve", schema=bool)
    return "yes" if answer else "no"

if __name__ == "__main__":
    print(waits.run().wait())
"""


def test_a_suspension_and_an_end_ride_it_out(stage: Stage, database: Path) -> None:
    storage = FaultyStorage(stage.python, database / "kitaru.db")
    process, exec_id = stage.start(
        WAITING.replace("    answer", '    ran("begun")\n    block_until("gate")\n    answer')
    )
    wait_for_line(stage.side, "begun")
    storage.begin("ENOSPC")
    stage.open("gate")
    until_said(process, WAITS)
    storage.end()
    stage.until(exec_id, "waiting")
    assert stage.python.kitaru("executions", "input", exec_id, "--value", "true").returncode == 0
    process.succeed()
    assert "yes" in process.output


BESIDE_A_WAIT = """
@kitaru.checkpoint
async def ticking():
    ran("begun")
    ticks = 0
    while not (HERE / "gate").exists():
        await asyncio.sleep(0.01)
        ticks += 1
        (HERE / "ticks").write_text(str(ticks))
    return "ended"

@kitaru.flow
async def beside():
    answer, said = await asyncio.gather(kitaru.aio.wait("number", schema=int), ticking())
    return answer, said

if __name__ == "__main__":
    beside.run()
"""


def test_async_bodies_do_not_stand_still_with_the_server(
    stage: Stage, postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITARU_DATABASE_URL", postgres_url)
    stage.python.environment["KITARU_DATABASE_URL"] = postgres_url
    process, exec_id = stage.start(BESIDE_A_WAIT)
    wait_for_line(stage.side, "begun")
    wait_until(lambda: stage.client.executions.pending_waits(exec_id), "the question")
    postgres_server.stop(crash=True)
    try:
        until_said(process, "the heartbeat fails")
        ticks = stage.python.folder / "ticks"
        before = ticks.read_text()
        wait_until(lambda: ticks.read_text() not in ("", before), "the body to go on")
        stage.open("gate")
        until_said(process, WAITS)
    finally:
        postgres_server.start()
    stage.until(exec_id, "waiting")
    stage.client.executions.input(exec_id, value=42)
    done = stage.until(exec_id, "completed")
    assert stage.ran() == ["begun"]
    assert done.result is not None
    assert done.result.load() == (42, "ended")
