import signal
from pathlib import Path

from tests.support.processes import Python, lines, processes_of, wait_for_line, wait_until

DETACHES = """
import os, subprocess, sys, time
with open(sys.argv[1], "a") as told:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print(os.environ["KITARU_CONFIG_PATH"], file=told, flush=True)
time.sleep(600)
"""


def test_a_killed_process_is_dead_and_what_it_detached_lives(
    python: Python, kitaru_home: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told.txt"
    process = python.start(python.script(DETACHES), told)
    assert wait_for_line(told, str(kitaru_home)) == [str(kitaru_home)]
    process.kill()
    assert process.wait() == -signal.SIGKILL
    wait_until(lambda: len(processes_of(python.home)) == 1, "the detached process alone")


def test_a_line_that_is_still_being_written_is_none(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    assert lines(file) == []
    file.write_text("one\ntw")
    assert lines(file) == ["one"]


def test_output_of_both_streams_is_kept(python: Python) -> None:
    assert python.run("-c", "import sys; print('out'); print('err', file=sys.stderr)") == "out\nerr\n"
