"""The real Claude Agent SDK and its bundled CLI, against a model server on loopback; killed, resumed, answered."""

from __future__ import annotations

from pathlib import Path

from kitaru import KitaruClient
from tests.support.model_server import ModelServer
from tests.support.processes import Process, Python, wait_until

SCRIPT = Path(__file__).parents[2] / "examples" / "claude_review" / "review.py"
TEXT = "Durable agents do not pay twice."


def started(python: Python, claude_env: dict[str, str]) -> tuple[Process, KitaruClient, str]:
    """The script as a user runs it."""
    python.environment.update(claude_env)
    process = python.start(SCRIPT)
    client = KitaruClient()
    (execution,) = wait_until(client.executions.list, "the execution")
    return process, client, execution.exec_id


def recorded(client: KitaruClient, exec_id: str) -> bool:
    """Whether the agent's turn is in the journal."""
    return bool(client.executions.get(exec_id).checkpoints)


def completed(client: KitaruClient, exec_id: str) -> str:
    """The result, once there is one."""

    def result() -> str | None:
        execution = client.executions.get(exec_id)
        assert execution.failure is None, execution.failure
        return execution.result.load() if execution.result else None

    return wait_until(result, "the result")


def test_killed_after_the_checkpoint_the_model_is_not_asked_again(
    python: Python, claude_env: dict[str, str], model_server: ModelServer
) -> None:
    model_server.answer_with(TEXT)
    process, client, exec_id = started(python, claude_env)
    wait_until(lambda: recorded(client, exec_id), "the agent's turn to be recorded")
    process.kill_group()
    asked = len(model_server.requests)
    if client.executions.get(exec_id).status == "running":
        assert python.kitaru("executions", "resume", exec_id).returncode == 0
    wait_until(lambda: client.executions.get(exec_id).status == "waiting", "the question")
    (question,) = client.executions.pending_waits(exec_id)
    assert TEXT in (question.question or "")
    assert python.kitaru("executions", "input", exec_id, "--value", "true").returncode == 0
    assert completed(client, exec_id) == f"Published: {TEXT}"
    assert (asked, len(model_server.requests)) == (1, 1)
    assert len(client.executions.list()) == 1, "loading the script started nothing"


def test_killed_during_the_wait_the_answer_still_arrives(
    python: Python, claude_env: dict[str, str], model_server: ModelServer
) -> None:
    model_server.answer_with(TEXT)
    process, client, exec_id = started(python, claude_env)
    wait_until(lambda: client.executions.pending_waits(exec_id), "the question")
    process.kill_group()
    assert python.kitaru("executions", "input", exec_id, "--value", "false").returncode == 0
    assert completed(client, exec_id) == "Rejected."
    assert len(model_server.requests) == 1
    assert len(client.executions.list()) == 1
