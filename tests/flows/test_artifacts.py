"""``save``, ``load``, ``log``, captured output, and what the client shows of them."""

from __future__ import annotations

import logging

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.errors import KitaruContextError, KitaruStateError, KitaruUserCodeError


@kitaru.checkpoint(type="llm_call")
def answer(question: str) -> str:
    kitaru.save("prompt", {"question": question}, type="prompt", tags=["v1"])
    kitaru.log(tokens=12, scores={"style": 1})
    kitaru.log(scores={"facts": 2})
    print("thinking about it")
    logging.getLogger("agent").warning("slow model")
    return question.upper() * 10_000


@kitaru.flow
def asks(question: str) -> int:
    kitaru.log(team="blue")
    return len(answer(question))


@kitaru.checkpoint
def read(exec_id: str, name: str) -> object:
    return kitaru.load(exec_id, name)


@kitaru.flow
def reads(exec_id: str, name: str) -> object:
    return read(exec_id, name)


def test_what_a_checkpoint_says_is_kept_with_it(client: KitaruClient) -> None:
    handle = asks.run("why")
    assert handle.wait() == 30_000
    execution = client.executions.get(handle.exec_id)
    assert execution.metadata == {"team": "blue"}
    (call,) = [call for call in execution.checkpoints if call.kind == "checkpoint"]
    assert (call.type, call.metadata) == ("llm_call", {"tokens": 12, "scores": {"style": 1, "facts": 2}})
    output, prompt = call.artifacts
    assert (output.kind, output.size > 29_000, prompt.kind, prompt.tags) == ("output", True, "prompt", ["v1"])
    assert (output.load(), prompt.load()) == ("WHY" * 10_000, {"question": "why"})
    assert call.inputs["question"].load() == "why"
    assert execution.inputs["question"].load() == "why"
    assert client.artifacts.get(prompt.artifact_id).digest == prompt.digest
    assert [a.name for a in client.artifacts.list(handle.exec_id, kind="prompt")] == ["prompt"]
    said = [(entry.stream, entry.message) for entry in client.executions.logs(handle.exec_id, "answer")]
    assert said == [("stdout", "thinking about it"), ("logging", "slow model")]


def test_a_large_output_goes_to_object_storage(client: KitaruClient, tmp_path: object) -> None:
    handle = asks.run("x" * 100)
    handle.wait()
    (output,) = client.artifacts.list(handle.exec_id, name="answer")
    assert output.load() == "X" * 1_000_000


def test_load_wants_exactly_one(client: KitaruClient) -> None:
    handle = asks.run("why")
    handle.wait()
    assert reads.run(handle.exec_id, "prompt").wait() == {"question": "why"}
    assert reads.run(handle.exec_id, "answer").wait() == "WHY" * 10_000
    with pytest.raises(KitaruUserCodeError) as caught:
        reads.run(handle.exec_id, "question").wait()
    assert isinstance(caught.value.__cause__, KitaruStateError)


def test_saving_needs_a_checkpoint() -> None:
    with pytest.raises(KitaruContextError, match="outside a flow"):
        kitaru.save("x", 1)
