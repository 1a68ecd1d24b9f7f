"""What people see of an execution with more calls than anybody reads."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import kitaru
from kitaru import KitaruClient
from kitaru.cli import views


@kitaru.checkpoint
def step(number: int, size: int) -> int:
    return size if number == 7 else number


@kitaru.flow
def long(steps: int, size: int) -> int:
    return sum(step(number, 0 if number != 7 else size) for number in range(steps))


def test_only_the_end_and_what_differs_are_in_the_tables(kitaru_home: Path) -> None:
    client = KitaruClient()
    a, b = long.run(120, 1), long.run(120, 2)
    a.wait()
    b.wait()
    shown = StringIO()
    with redirect_stdout(shown):
        views.execution(client.executions.get(a.exec_id))
        views.execution_diff(client.executions.diff(a.exec_id, b.exec_id))
    text = shown.getvalue()
    assert "The last 100 calls; 20 before them are shown by -o json." in text
    assert "step#120" in text
    assert "step#20 " not in text
    assert "1 of 120 calls differ; -o json shows all." in text
    assert text.count("step#8 ") == 1
