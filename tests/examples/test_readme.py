"""The README's tour: every file is written and every command is typed, in order, in a fresh home."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from tests.support.processes import Python

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"<!-- (file|run)(?:: (\S+))? -->\n```\w*\n(.*?)```", re.DOTALL)


def typed(python: Python, command: str) -> str:
    """Run one command of the tour; its output."""
    program, *arguments = shlex.split(command)
    if program == "python":
        return python.run(*arguments)
    assert program == "kitaru"
    done = python.kitaru(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tour_works_as_written(python: Python) -> None:
    # Scripts of the tour run on this interpreter; so do the processes that go on with their flows.
    assert Path(sys.executable).exists()
    exec_id = ""
    said: list[str] = []
    for kind, name, text in BLOCK.findall(README.read_text()):
        if kind == "file":
            python.script(text, name)
            continue
        for command in text.strip().splitlines():
            output = typed(python, command.replace("kr-…", exec_id))
            said.append(output)
            found = re.search(r"kr-[0-9a-f]{16}", output)
            if not exec_id and found:
                exec_id = found.group()
    everything = "\n".join(said)
    for expected in ("paying for research", "published: notes on durable agents", "rejected", "285", "2470"):
        assert expected in everything
    assert everything.count("paying for research on durable agents") == 1, (
        "researched once, over an answer and two replays"
    )


def test_every_snippet_is_run() -> None:
    text = README.read_text()
    assert len(BLOCK.findall(text)) + 1 == text.count("```") // 2, "all but the two commands"
