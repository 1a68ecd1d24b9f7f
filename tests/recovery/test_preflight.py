"""Before a deploy: what the code as it stands now would do with the executions that are open."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.recovery.conftest import Stage
from tests.support.processes import Process, wait_until

REVIEW = """
@kitaru.checkpoint
def draft(topic):
    ran(f"draft {topic}")
    return topic

@kitaru.checkpoint
def audit(text):
    ran("audit")
    return text

@kitaru.checkpoint(effect=True)
def send(text):
    ran("send")
    block_until("may send")
    return text

@kitaru.flow
def review(topic):
    text = draft(topic)
    kitaru.now()
    others = [future.result() for future in draft.map(["a", "b"])]
    approved = kitaru.wait("approve")
    return [text, others, approved]

@kitaru.flow
async def areview(topic):
    async def asked(name):
        return await aio.wait(name)
    texts = [draft(topic)]
    return texts + list(await asyncio.gather(asked("one"), asked("two")))

@kitaru.flow
def posting(topic):
    return send(draft(topic))

if __name__ == "__main__":
    FLOW.run("agents")
"""


def waiting(stage: Stage, flow: str) -> str:
    stage.python.start(stage.write(REVIEW.replace("FLOW", flow))).succeed()
    return stage.until_flow(flow)


def rewritten(stage: Stage, flow: str, *changes: tuple[str, str]) -> None:
    text = REVIEW.replace("FLOW", flow)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    stage.write(text)


def checked(stage: Stage, flow: str, *options: str) -> tuple[int, dict[str, object]]:
    """The exit status and the one result of the command; nothing ran and nothing was written."""
    before = stage.ran(), journal(stage)
    done = stage.python.kitaru("executions", "preflight", "--flow", flow, "-o", "json", *options)
    assert (stage.ran(), journal(stage)) == before
    (item,) = json.loads(done.stdout)["items"]
    return done.returncode, item


def journal(stage: Stage) -> list[object]:
    return [
        stage.client.executions.get(execution.exec_id).model_dump(mode="json")
        for execution in stage.client.executions.list(limit=50)
    ]


@pytest.mark.parametrize("flow", ["review", "areview"])
def test_code_that_did_not_change_goes_on(both: Stage, flow: str) -> None:
    waiting(both, flow)
    status, item = checked(both, flow)
    assert (status, item["verdict"], item["new_calls"], item["dropped_calls"]) == (0, "goes_on", [], [])
    expected = {"review": ["approve#1"], "areview": ["asked~1/one#1", "asked~2/two#1"]}
    assert item["open_waits"] == expected[flow]


@pytest.mark.parametrize(
    ("flow", "old", "new", "status", "verdict", "told"),
    [
        ("review", "text = draft(topic)", "text = audit(draft(topic))", 0, "new_calls", ["audit#1"]),
        ("areview", "texts = [draft(topic)]", "texts = [audit(draft(topic))]", 0, "new_calls", ["audit#1"]),
        ("review", 'wait("approve")', 'wait("agree")', 0, "new_calls", ["agree#1"]),
        ("review", "text = draft(topic)", "text = topic", 1, "diverges", "agents"),
        ("review", "draft(topic)\n    kitaru", 'draft("other")\n    kitaru', 1, "diverges", "draft#1"),
        ("areview", "[draft(topic)]", '[draft("other")]', 1, "diverges", "draft#1"),
        ("review", "    kitaru.now()\n", "    undefined\n", 1, "fails", "NameError"),
        ("review", "import asyncio", "import nothing_here", 1, "cannot_load", "nothing_here"),
        ("review", "@kitaru.flow\ndef review", "def review", 1, "cannot_load", "not a flow"),
    ],
)
def test_code_that_changed(
    stage: Stage, flow: str, old: str, new: str, status: int, verdict: str, told: str | list[str]
) -> None:
    waiting(stage, flow)
    if old == "import asyncio":
        script = stage.python.folder / "script.py"
        script.write_text("import nothing_here\n" + script.read_text())
    else:
        rewritten(stage, flow, (old, new))
    got, item = checked(stage, flow)
    assert (got, item["verdict"]) == (status, verdict), item
    if isinstance(told, list):
        assert item["new_calls"] == told
    else:
        assert told in str(item["reason"])


def test_a_recorded_call_that_is_made_no_more_is_named(stage: Stage) -> None:
    waiting(stage, "review")
    rewritten(stage, "review", ('draft.map(["a", "b"])', 'draft.map(["a"])'))
    status, item = checked(stage, "review")
    assert (status, item["verdict"], item["dropped_calls"]) == (0, "goes_on", ["draft#3"])


def test_a_flow_that_blocks_is_given_up(stage: Stage) -> None:
    waiting(stage, "review")
    rewritten(stage, "review", ("    kitaru.now()\n", "    block_until('never')\n"))
    status, item = checked(stage, "review", "--timeout", "5")
    assert (status, item["verdict"]) == (1, "timed_out")


def killed_in_send(stage: Stage, then: Callable[[Process, str], None]) -> None:
    process, exec_id = stage.start(REVIEW.replace("FLOW", "posting"))
    stage.kill_at(process, "send")
    then(process, exec_id)


def test_an_effect_that_was_cut_off_goes_on(stage: Stage) -> None:
    def then(process: Process, exec_id: str) -> None:
        status, item = checked(stage, "posting")
        assert (status, item["verdict"], item["new_calls"]) == (0, "goes_on", ["send#1"])
        stage.resume(exec_id)
        wait_until(lambda: stage.client.executions.pending_waits(exec_id), "the question")
        status, item = checked(stage, "posting")
        assert (status, item["verdict"], item["open_waits"]) == (0, "goes_on", ["send#1?1"])

    killed_in_send(stage, then)


def test_the_table_says_what_and_why(stage: Stage) -> None:
    exec_id = waiting(stage, "review")
    done = stage.python.kitaru("executions", "preflight")
    assert (done.returncode, "goes on waiting for approve#1" in done.stdout) == (0, True), done.stdout
    rewritten(stage, "review", ("draft(topic)\n    kitaru", 'draft("other")\n    kitaru'))
    done = stage.python.kitaru("executions", "preflight")
    assert done.returncode == 1
    assert f"{exec_id} diverges" in done.stdout
    assert "argument 'topic' was" in done.stdout


def test_a_replay_that_waits_is_looked_at_too(stage: Stage) -> None:
    exec_id = waiting(stage, "review")
    replayed = stage.client.executions.replay(exec_id, from_="draft#2")
    stage.until(replayed.exec_id, "waiting")
    before = journal(stage)
    found = stage.client.executions.preflight("review")
    assert [(one.exec_id, one.verdict, one.open_waits) for one in found] == [
        (replayed.exec_id, "goes_on", ["approve#1"]),
        (exec_id, "goes_on", ["approve#1"]),
    ]
    assert journal(stage) == before
