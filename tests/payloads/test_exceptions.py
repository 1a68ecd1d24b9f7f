"""Exceptions as recorded outcomes: back as their own class where that is faithful, else a stand-in that says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from kitaru.errors import FailureOrigin, KitaruExecutionError, KitaruUserCodeError
from kitaru.payloads import describe, rebuild, rebuildable
from tests.payloads import failures, shapes


class Order(BaseModel):
    count: int
    name: str = ""

    @field_validator("name")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "custom":
            raise PydanticCustomError("odd_name", "the name {name} is odd", {"name": value})
        if value == "bad":
            raise ValueError("bad name")
        return value


def raised(call: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it is looked at afterwards
        call()
    return caught.value


def travelled(exc: BaseException) -> BaseException:
    """The exception after its description went through JSON text."""
    described = json.loads(json.dumps(describe(exc)))
    assert rebuildable(described)
    return rebuild(described)


FAITHFUL: list[BaseException] = [
    ValueError(),
    ValueError("x", 1, (2, {3})),
    KeyError("city"),
    failures.Simple(shapes.Dog(name="Rex")),
    failures.KeywordOnly(code=3, hint="h"),
    failures.MoreArguments("first", 2),
    failures.NeverCallsUp(3),
    failures.Disk(5, "sda"),
    failures.BrokenText("x"),
    failures.Structured(3, [1]),
    FileNotFoundError(2, "No such file", "/a", None, "/b"),
    OSError("only text"),
    BlockingIOError(11, "again", 3),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    UnicodeEncodeError("ascii", "é", 0, 1, "ordinal"),
    ImportError("no module", name="m", path="/p"),
    StopIteration(3),
    SyntaxError("bad", ("f.py", 1, 2, "text", 1, 3)),
    AttributeError("no x", name="x"),
    TimeoutError("late"),
    asyncio.QueueEmpty(),
    json.JSONDecodeError("bad", "{", 1),
    KitaruExecutionError("m", exec_id="kr-1", failure_origin=FailureOrigin.TIMEOUT),
    ExceptionGroup("g", [ValueError(1), ExceptionGroup("h", [failures.KeywordOnly(code=1, hint="")])]),
    failures.Many("g", [KeyError("k")]),
    httpx.InvalidURL("no"),
]


@pytest.mark.parametrize("exc", FAITHFUL, ids=itertools.count())
def test_own_class(exc: BaseException) -> None:
    back = travelled(exc)
    assert type(back) is type(exc)
    assert describe(back) == {**describe(exc), "traceback": describe(back)["traceback"]}
    if not isinstance(exc, BaseExceptionGroup):
        assert repr(back.args) == repr(exc.args)


def test_attributes_come_back() -> None:
    back: Any = travelled(FAITHFUL[4])
    assert (back.code, back.hints, back.args) == (3, {"h"}, ("code 3",))
    back = travelled(failures.Disk(5, "sda"))
    assert (back.errno, back.strerror, back.filename, back.device) == (5, "sda failed", "sda", "sda")
    back = travelled(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))
    assert (back.object, back.reason) == (b"\xff", "invalid")
    back = travelled(ImportError("no", name="m"))
    assert back.name == "m"


def test_notes_come_back() -> None:
    exc = ValueError("x")
    exc.add_note("remember")
    assert travelled(exc).__notes__ == ["remember"]


@pytest.mark.parametrize(
    "data",
    [{}, {"count": "x"}, {"count": 1, "name": "bad"}, {"count": 1, "name": "custom"}, {"count": [1]}, 3],
)
def test_validation_errors(data: Any) -> None:
    exc: Any = raised(lambda: Order.model_validate(data))
    back: Any = travelled(exc)
    assert type(back) is ValidationError
    assert str(back) == str(exc)
    for mine, theirs in zip(back.errors(), exc.errors(), strict=True):
        assert repr(mine.pop("ctx", None)) == repr(theirs.pop("ctx", None))
        assert {**mine, "url": 0} == {**theirs, "url": 0}


def test_validation_errors_of_json_text() -> None:
    exc = raised(lambda: Order.model_validate_json('{"count": "x"}'))
    assert str(travelled(exc)) == str(exc)


def local_class() -> BaseException:
    class Local(Exception):
        pass

    return Local("here")


def response_error() -> BaseException:
    response = httpx.Response(500, request=httpx.Request("GET", "http://example.com"))
    return raised(response.raise_for_status)


UNFAITHFUL: list[tuple[BaseException, str]] = [
    (failures.HoldsALock(), "tests.payloads.failures.HoldsALock: locked"),
    (failures.Slotted(), "tests.payloads.failures.Slotted: s"),
    (ValueError(shapes.Plain(1)), "ValueError: "),
    (local_class(), "tests.payloads.test_exceptions.local_class.<locals>.Local: here"),
    (response_error(), "httpx.HTTPStatusError: Server error '500"),
    (ExceptionGroup("g", [ValueError(1), failures.HoldsALock()]), "ExceptionGroup: g (2 sub-exceptions)"),
    (failures.Stop("now"), "tests.payloads.failures.Stop: now"),
    (SystemExit(3), "SystemExit: 3"),
]


@pytest.mark.parametrize(("exc", "message"), UNFAITHFUL, ids=itertools.count())
def test_stand_in(exc: BaseException, message: str) -> None:
    described = json.loads(json.dumps(describe(exc)))
    assert not rebuildable(described)
    back = rebuild(described)
    assert type(back) is KitaruUserCodeError
    assert str(back).startswith(message)


def test_a_class_that_is_gone_gives_the_stand_in() -> None:
    described = {**describe(failures.Simple("x")), "class": "tests.payloads.failures:Gone"}
    assert not rebuildable(described)
    assert str(rebuild(described)) == "tests.payloads.failures.Simple: x"


@pytest.mark.parametrize("ref", ["subprocess:Popen", "builtins:SystemExit", "builtins:dict"])
def test_only_exceptions_are_rebuilt(ref: str) -> None:
    described = {**describe(ValueError("x")), "class": ref}
    assert type(rebuild(described)) is KitaruUserCodeError


def test_traceback_and_causes_are_told() -> None:
    def fail() -> None:
        try:
            {}["city"]
        except KeyError as error:
            try:
                raise TypeError("middle") from error
            except TypeError:
                raise ValueError("outer")  # noqa: B904 - the implicit context is the subject

    described = describe(raised(fail))
    assert "in fail" in described["traceback"]
    assert described["causes"] == [
        {"link": "context", "type": "TypeError", "message": "middle"},
        {"link": "cause", "type": "KeyError", "message": "'city'"},
    ]


def test_long_and_odd_text_is_storable() -> None:
    described = describe(ValueError("\ud800\0" + "x" * 100_000))
    assert described["message"].startswith("\\ud800\\x00x")
    assert len(described["traceback"]) <= 32 * 1024
    json.dumps(described).encode()


def test_a_circle_of_causes_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert [cause["message"] for cause in describe(one)["causes"]] == ["other"]
