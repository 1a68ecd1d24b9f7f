"""What is wrong from outside: the thing is named, the next step is told, and what is recorded stays."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitaru.errors import KitaruBackendError, KitaruStateError, KitaruWaitValidationError
from tests.recovery.conftest import Stage
from tests.support.processes import wait_until

STEPS = """
import random

@kitaru.checkpoint
def step(number):
    ran(number)
    if number == 3:
        block_until("gate")
    return random.Random(number).randbytes(100_000)

@kitaru.flow
def steps():
    return sum(len(step(number)) for number in range(1, 6))

if __name__ == "__main__":
    print(steps.run().wait())
"""


def removed(file: Path) -> None:
    file.unlink()


def damaged(file: Path) -> None:
    file.write_bytes(b"x" + file.read_bytes()[1:])


@pytest.mark.parametrize(("spoil", "says"), [(removed, "is missing"), (damaged, "is damaged")])
def test_a_payload_file_that_is_gone_or_damaged(
    both: Stage, spoil: Callable[[Path], object], says: str
) -> None:
    process, exec_id = both.start(STEPS)
    both.kill_at(process, "3")
    first = both.client.executions.get(exec_id).checkpoints[0].artifacts[0]
    (file,) = both.python.home.rglob(first.digest)
    kept = file.read_bytes()
    spoil(file)
    both.open("gate")
    both.resume(exec_id)

    def told() -> str:
        return "".join(entry.message for entry in both.client.executions.logs(exec_id))

    wait_until(lambda: says in told(), "the reason to be told")
    assert first.digest in told()
    assert f"kitaru executions resume {exec_id}" in told()
    with pytest.raises(KitaruBackendError, match=first.digest):
        first.load()
    found = both.client.executions.get(exec_id)
    assert (found.status, len(found.checkpoints)) == ("running", 2)

    file.write_bytes(kept)
    resume_when_free(both, exec_id)
    done = both.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == 500_000
    assert Counter(both.ran()) == {"1": 1, "2": 1, "3": 2, "4": 1, "5": 1}


def resume_when_free(stage: Stage, exec_id: str) -> None:
    """Resume, once the runner that stopped has ended."""
    wait_until(
        lambda: stage.python.kitaru("executions", "resume", exec_id).returncode == 0, "it to be resumed"
    )


def test_a_flow_that_no_longer_imports(both: Stage) -> None:
    process, exec_id = both.start(STEPS)
    both.kill_at(process, "3")
    both.open("gate")
    script = both.write("import nothing_of_this_name\n" + STEPS)
    done = both.python.kitaru("executions", "resume", exec_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing_of_this_name" in done.stderr
    assert str(script) in done.stderr
    assert f"kitaru executions resume {exec_id}" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(both.client.executions.get(exec_id).checkpoints) == 2
    both.write(STEPS.replace("def steps", "def renamed").replace("steps.run", "renamed.run"))
    done = both.python.kitaru("executions", "resume", exec_id)
    assert done.returncode == 1
    assert "steps" in done.stderr
    both.write(STEPS)
    both.resume(exec_id)
    both.until(exec_id, "completed")
    assert Counter(both.ran()) == {"1": 1, "2": 1, "3": 2, "4": 1, "5": 1}


UNSERIALIZABLE = """
@kitaru.checkpoint
def step(number):
    ran(number)
    return (HERE / "side.txt").open() if number == 2 and not (HERE / "mended").exists() else number

@kitaru.flow
def steps():
    return [step(number) for number in (1, 2, 3)]

if __name__ == "__main__":
    steps.run()
"""


def test_an_output_that_cannot_be_stored(both: Stage) -> None:
    both.python.environment["KITARU_ALLOW_PICKLE"] = "0"
    process, exec_id = both.start(UNSERIALIZABLE)
    failed = both.until(exec_id, "failed")
    process.wait()
    assert failed.failure is not None
    assert failed.failure.type == "kitaru.errors.KitaruUsageError"
    assert "step#2" in failed.failure.message
    assert "TextIOWrapper" in failed.failure.message
    both.open("mended")
    assert both.python.kitaru("executions", "retry", exec_id).returncode == 0
    done = both.until(exec_id, "completed")
    assert both.ran() == ["1", "2", "2", "3"]
    assert done.result is not None
    assert done.result.load() == [1, 2, 3]


ASKING = """
@kitaru.flow
def asks():
    first, second = kitaru.wait.submit("first", schema=int), kitaru.wait.submit("second", schema=int)
    return first.result() - second.result()

if __name__ == "__main__":
    asks.run()
"""


def test_an_answer_that_does_not_match_or_says_not_to_what(both: Stage) -> None:
    process, exec_id = both.start(ASKING)
    both.until_flow("asks")
    process.wait()
    done = both.python.kitaru("executions", "input", exec_id, "--wait", "first", "--value", '"seven"')
    assert done.returncode == 2
    assert "'seven' is not of type 'integer'" in done.stderr
    assert "goes on waiting" in done.stderr
    done = both.python.kitaru("executions", "input", exec_id, "--value", "7")
    assert done.returncode == 1
    assert "has 2 open waits: first#1, second#1. Name one with --wait" in done.stderr
    with pytest.raises(KitaruWaitValidationError, match="first"):
        both.client.executions.input(exec_id, "first", {"a": 1})
    with pytest.raises(KitaruStateError, match=r"no wait 'third'. Its waits: first, second"):
        both.client.executions.input(exec_id, "third", 1)
    assert both.client.executions.get(exec_id).status == "waiting"
    both.client.executions.input(exec_id, "first", 44)
    both.client.executions.input(exec_id, "second", 2)
    done = both.until(exec_id, "completed")
    assert done.result is not None
    assert done.result.load() == 42


UNKNOWN = [
    ("get", "kr-0000000000000000"),
    ("resume", "kr-0000000000000000"),
    ("retry", "kr-0000000000000000"),
    ("cancel", "kr-0000000000000000"),
    ("replay", "kr-0000000000000000"),
    ("logs", "kr-0000000000000000"),
    ("watch", "kr-0000000000000000"),
    ("input", "kr-0000000000000000", "--value", "1"),
    ("abort-wait", "kr-0000000000000000"),
]


@pytest.mark.parametrize("command", UNKNOWN, ids=[command[0] for command in UNKNOWN])
def test_an_unknown_id_is_told(stage: Stage, command: tuple[str, ...]) -> None:
    done = stage.python.kitaru("executions", *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no execution 'kr-0000000000000000'. See `kitaru executions list`." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_selector_that_means_several_calls(stage: Stage) -> None:
    process, exec_id = stage.start(UNSERIALIZABLE.replace("number == 2", "False"))
    stage.until(exec_id, "completed")
    process.wait()
    done = stage.python.kitaru("executions", "replay", exec_id, "--from", "step")
    assert done.returncode == 1
    for call_id in ("step#1", "step#2", "step#3"):
        assert call_id in done.stderr
    with pytest.raises(KitaruStateError, match="bogus"):
        stage.client.executions.replay(exec_id, "bogus")
    assert len(stage.client.executions.list()) == 1


@pytest.fixture
def read_only(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a database whose files can be frozen, for root too."""
    folder = stage.python.folder / "database"
    folder.mkdir()
    trial = folder / "trial"
    trial.touch()
    if not froze(trial, "+i"):
        pytest.skip("files cannot be made immutable here")
    froze(trial, "-i")
    url = f"sqlite:///{folder}/kitaru.db"
    monkeypatch.setenv("KITARU_DATABASE_URL", url)
    stage.python.environment["KITARU_DATABASE_URL"] = url
    yield folder
    froze(folder, "-i")


def froze(place: Path, mode: str) -> bool:
    """Make a file, or a folder with the databases in it, immutable (``+i``) or not.

    Not what SQLite keeps in shared memory: a process that has it open would die of that.
    """
    if shutil.which("chattr") is None:
        return False
    done = subprocess.run(["chattr", mode, place, *place.glob("*.db")], capture_output=True, check=False)
    return done.returncode == 0


def test_a_database_that_cannot_be_written(stage: Stage, read_only: Path) -> None:
    process, exec_id = stage.start(STEPS)
    stage.kill_at(process, "3")
    stage.open("gate")
    assert froze(read_only, "+i")
    for command in (("executions", "resume", exec_id), ("executions", "cancel", exec_id)):
        done = stage.python.kitaru(*command)
        assert done.returncode == 1, command
        assert str(read_only / "kitaru.db") in done.stderr
        assert "`ls -la" in done.stderr
        assert "Traceback" not in done.stderr
    assert stage.client.executions.get(exec_id).status == "running"
    again = stage.python.start(stage.python.folder / "script.py")
    assert again.wait() != 0
    assert "KitaruBackendError: The database" in again.output
    assert froze(read_only, "-i")
    stage.resume(exec_id)
    stage.until(exec_id, "completed")
    assert Counter(stage.ran()) == {"1": 1, "2": 1, "3": 2, "4": 1, "5": 1}


def test_a_state_folder_that_cannot_be_written(stage: Stage, read_only: Path) -> None:
    stage.python.environment["KITARU_CONFIG_PATH"] = str(read_only)
    stage.python.environment["KITARU_DATABASE_URL"] = f"sqlite:///{stage.python.folder}/kitaru.db"
    assert froze(read_only, "+i")
    process = stage.python.start(stage.write(STEPS))
    assert process.wait() != 0
    assert f"KitaruBackendError: The folder {read_only}/runners" in process.output
    assert "KITARU_CONFIG_PATH" in process.output
