"""A secret's value is nowhere in what people read of an execution, whatever the flow did with it."""

from __future__ import annotations

import json
import logging
import os
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.backend import backend
from kitaru.models import Execution
from kitaru.secrets import get_secret
from tests.secrets.test_secrets import a_key
from tests.support.processes import Python

VALUE = 'Zq7/"Wx9+Kv3 Jh5'


@kitaru.checkpoint
def use(key: str) -> dict[str, str]:
    print("key", key)
    print("split ", key[:5], end="")
    print(key[5:])
    logging.getLogger("app").warning("url %s", quote(key, safe=""))
    kitaru.log(key=key, basic=b64encode(f"user:{key}".encode()).decode())
    kitaru.progress(1, message=f"with {key}")
    kitaru.save("saved", [key])
    return {"key": key}


@kitaru.checkpoint
def fail(key: str) -> None:
    raise ValueError(f"bad key {key}", key)


@kitaru.flow
def leaking(given: str, tag: str) -> str:
    use(given)
    try:
        fail(given)
    except ValueError:
        kitaru.log(seen=given)
    kitaru.wait("ok", question=f"use {given}?", metadata={"key": given})
    raise RuntimeError(f"{tag} {given}")


@kitaru.checkpoint
def fetch() -> int:
    return len(get_secret("mail")["PASSWORD"])


@kitaru.flow
def asking() -> int:
    return fetch()


def forms() -> list[str]:
    return [VALUE, json.dumps(VALUE)[1:-1], quote(VALUE), quote(VALUE, safe=""), "Zq7/", "Kv3 Jh5"]


def assert_clean(text: str) -> None:
    for form in forms():
        assert form not in text
        assert json.dumps(form)[1:-1] not in text


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, python: Python) -> Iterator[str]:
    """The key of this process; whether the commands have it, each test says."""
    key = a_key()
    monkeypatch.setenv("KITARU_SECRET_KEY", key)
    url = os.environ.get("KITARU_DATABASE_URL")
    if url:
        python.environment["KITARU_DATABASE_URL"] = url
    return key


def leaked(client: KitaruClient, tag: str) -> Execution:
    handle = leaking.run(VALUE, tag)
    handle.until_suspended()
    return client.executions.get(handle.exec_id)


def read(python: Python, *command: str) -> str:
    done = python.kitaru(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def read_all(python: Python, first: str, second: str) -> Iterator[str]:
    """What commands say, to people and to programs, without loading a value."""
    yield read(python, "executions", "get", first)
    yield read(python, "executions", "get", first, "-o", "json")
    yield read(python, "executions", "logs", first, "-vv")
    yield read(python, "executions", "diff", first, second)
    yield read(python, "executions", "diff", first, second, "-o", "json")
    yield read(python, "artifacts", "list", first, "-o", "json")
    yield read(python, "status")


def test_what_a_process_that_knows_it_writes(client: KitaruClient, python: Python, key: str) -> None:
    client.secrets.set("mail", {"PASSWORD": VALUE})
    one, other = leaked(client, "a"), leaked(client, "b")
    assert one.status == "waiting"
    assert_clean(one.model_dump_json())
    python.environment["KITARU_SECRET_KEY"] = a_key()  # the commands cannot know it
    for said in read_all(python, one.exec_id, other.exec_id):
        assert_clean(said)


def test_what_a_process_that_knows_it_reads(client: KitaruClient, python: Python, key: str) -> None:
    one, other = leaked(client, "a"), leaked(client, "b")  # nobody knew that it is a secret
    client.secrets.set("mail", {"PASSWORD": VALUE})
    assert_clean(client.executions.get(one.exec_id).model_dump_json())
    python.environment["KITARU_SECRET_KEY"] = key
    for said in read_all(python, one.exec_id, other.exec_id):
        assert_clean(said)
    saved, given, line = (
        f"{one.exec_id}/{name}" for name in ("use#1/saved/1", "use#1/output", "/input/given")
    )
    assert_clean(read(python, "artifacts", "get", saved))
    for command in (["diff", saved, given], ["diff", line, f"{one.exec_id}//input/tag"]):
        for form in ("text", "json"):
            said = read(python, "artifacts", *command, "-o", form)
            assert_clean(said)
            assert "***" in said


def recorded_errors(exec_id: str) -> list[Any]:
    store = backend().store
    return [call.error for call in store.calls(exec_id)] + [store.execution(exec_id).failure]


def test_errors_are_recorded_without_it(client: KitaruClient, key: str) -> None:
    client.secrets.set("mail", {"PASSWORD": VALUE})
    one = leaked(client, "a")
    client.executions.input(one.exec_id, value=True)
    handle = leaking.run(VALUE, "b")
    handle.until_suspended()
    assert_clean(json.dumps(recorded_errors(handle.exec_id)))
    assert "bad key ***" in json.dumps(recorded_errors(handle.exec_id))


def test_values_themselves_are_not_changed(client: KitaruClient, key: str) -> None:
    client.secrets.set("mail", {"PASSWORD": VALUE})
    one = leaked(client, "a")
    assert one.inputs["given"].load() == VALUE
    assert one.checkpoints[0].artifacts[0].load() == {"key": VALUE}


def test_getting_a_secret_writes_nothing(client: KitaruClient, key: str) -> None:
    client.secrets.set("mail", {"PASSWORD": VALUE})
    handle = asking.run()
    assert handle.wait() == len(VALUE)
    store = backend().store
    told = [repr(record) for record in store.calls(handle.exec_id)]
    assert_clean(" ".join(told) + repr(store.execution(handle.exec_id)))


def test_errors_of_commands_are_redacted(client: KitaruClient, python: Python, key: str) -> None:
    client.secrets.set("mail", {"PASSWORD": "correct-horse"})
    python.environment["KITARU_SECRET_KEY"] = key
    for debug in ("", "1"):
        python.environment["KITARU_DEBUG"] = debug
        done = python.kitaru("executions", "get", "kr-correct-horse")
        assert done.returncode == 1
        assert "correct-horse" not in done.stderr
        assert "kr-***" in done.stderr
