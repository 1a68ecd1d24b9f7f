"""``kitaru artifacts lineage``: the tree, and the page that explains it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.support.processes import Python

PAGE = (Path(__file__).parents[2] / "docs" / "lineage.md").read_text()
BLOCK = re.compile(r"<!-- (?:file: \S+|run) -->\n```\w*\n(.*?)```", re.DOTALL)

SCRIPT = """
import kitaru

@kitaru.checkpoint
def step(text: str, number: int) -> str:
    return f"{text} and {number}"

@kitaru.checkpoint
def both(one: str, other: str) -> str:
    return f"{one}; {other}"

@kitaru.flow
def chain(text: str) -> str:
    for number in range(30):
        text = step(text, number)
    return both(text, f"again {text}")
"""


def executed(python: Python, script: str, flow: str, **inputs: str) -> str:
    """Run a flow; its execution's id."""
    python.script(script, "flows.py")
    done = python.kitaru("run", f"flows:{flow}", "--args", json.dumps(inputs), "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["item"]["exec_id"]


def test_a_chain_stands_on_one_level(python: Python) -> None:
    exec_id = executed(python, SCRIPT, "chain", text="x")
    drawn = python.kitaru("artifacts", "lineage", f"{exec_id}//result", "--depth", "0").stdout
    assert drawn.startswith(f"{exec_id} result")
    assert re.search(r"^ {0,8}[├└]── ↑ text <- step#1 ", drawn, re.MULTILINE)
    assert re.search(r"── ~ other <- step#30 \(derived, above\)", drawn)
    assert len(re.findall(r"step#7 +str", drawn)) == 1
    assert "~ is inferred" in drawn


def test_what_is_cut_can_be_typed(python: Python) -> None:
    exec_id = executed(python, SCRIPT, "chain", text="x")
    drawn = python.kitaru("artifacts", "lineage", f"{exec_id}/step#30/output", "--depth", "6").stdout
    (more,) = re.findall(r"^It goes on\. More: kitaru (.*)$", drawn, re.MULTILINE)
    deeper = python.kitaru(*shlex.split(more)).stdout
    assert "step#27" in drawn
    assert "step#26" not in drawn
    assert "step#24" in deeper


def test_an_unknown_artifact_is_a_mistake_with_a_way_out(python: Python) -> None:
    exec_id = executed(python, SCRIPT, "chain", text="x")
    done = python.kitaru("artifacts", "lineage", f"{exec_id}/nothing#1/output")
    assert done.returncode == 1
    assert f"kitaru artifacts list {exec_id}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_is_as_it_happens(python: Python) -> None:
    script, commands = BLOCK.findall(PAGE)
    python.script(script, "report.py")
    first, *others = commands.strip().splitlines()
    assert python.run(*shlex.split(first)[1:]).strip() == "sales; north: 47; south: 47"
    listed = json.loads(python.kitaru("executions", "list", "-o", "json").stdout)
    exec_id = listed["items"][0]["exec_id"]
    drawn: list[str] = []
    for command in others:
        done = python.kitaru(*shlex.split(command.replace("kr-…", exec_id))[1:])
        assert done.returncode == 0, done.stderr
        drawn.append(done.stdout)
    shown = PAGE.partition("The first tree is:\n\n```\n")[2].partition("…\n```")[0].replace("kr-…", exec_id)
    assert drawn[1].startswith(shown)
    assert "publish#1" in drawn[2]
