"""``save``, ``load``, ``log``, captured output, and what the client shows of them."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.errors import KitaruContextError, KitaruStateError, KitaruUsageError, KitaruUserCodeError


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


@kitaru.checkpoint
def keeps(path: str) -> None:
    with open(path, "rb") as file:
        file.seek(2)
        kitaru.save("whole", file, type="blob")
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        kitaru.save("piped", cat.stdout, type="blob")  # a pipe cannot be rewound
    kitaru.save("text", "grün")
    kitaru.save("plan", {"steps": 2})
    with open(path) as text, pytest.raises(KitaruUsageError, match="open it with open"):
        kitaru.save("wrong", text)


@kitaru.flow
def keeping(path: str) -> None:
    keeps(path)


@pytest.mark.parametrize("size", [0, 1000, 65_536, 300_000])
def test_files_are_kept_as_their_bytes(client: KitaruClient, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "in.bin").write_bytes(b"??" + data)
    handle = keeping.run(str(tmp_path / "in.bin"))
    handle.wait()
    whole, piped, text, plan = (
        client.artifacts.list(handle.exec_id, name=name)[0] for name in ("whole", "piped", "text", "plan")
    )
    assert (whole.load(), whole.size, whole.type) == (data, size, "bytes")
    assert piped.load() == b"??" + data
    whole.download(tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == data
    with text.open() as file:
        assert file.read() == "grün".encode()
    with pytest.raises(KitaruUsageError, match="a dict, neither bytes nor text"):
        plan.download(tmp_path / "plan.json")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["in.bin", "out.bin"]


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
