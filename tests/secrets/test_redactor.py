"""What the redactor finds, whole texts and cut ones."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest

from kitaru.payloads import describe, encode, rebuild
from kitaru.payloads.previews import LIMIT
from kitaru.redaction import MARK, Redactor, redactor

VALUES = [
    "sk-correct-horse",
    'quotes " and \\ and / and\ttabs',
    "ümlaut & space + plus = ?",
    "-----BEGIN KEY-----\nc29tZXRoaW5n\nmore of it\n-----END KEY-----",
    "1234",
]
FORMS = {
    "as it is": lambda value: value,
    "in JSON": lambda value: json.dumps({"key": value}),
    "in JSON, not ASCII": lambda value: json.dumps([value], ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "its repr": repr,
    "the repr of its bytes": lambda value: repr(value.encode()),
    "in a URL": lambda value: f"https://host/{quote(value)}?key={quote(value, safe='')}&x",
    "in a form": lambda value: f"key={quote_plus(value)}",
    "quoted in lower case": lambda value: re.sub(
        "%..", lambda found: found[0].lower(), quote(value, safe="")
    ),
    "in base64": lambda value: b64encode(value.encode()).decode(),
    "as a password in base64": lambda value: b64encode(b"user:" + value.encode()).decode(),
    "inside base64": lambda value: b64encode(b"xx" + value.encode() + b"yy").decode(),
    "in URL-safe base64": lambda value: urlsafe_b64encode(b"?" + value.encode()).decode(),
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found(form: str, value: str) -> None:
    known = Redactor()
    written = FORMS[form](value)
    assert known.text(written) == written
    known.add([value])
    redacted = known.text(f"before {written} after")
    assert MARK in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    for piece in (value, FORMS[form](value).strip("\"'[]{}=")):
        assert piece not in redacted


def test_lines_of_a_value_are_found_one_by_one() -> None:
    known = Redactor()
    known.add([VALUES[3]])
    assert [known.text(line) for line in VALUES[3].splitlines()] == [MARK] * 4


def test_what_is_too_short_or_unknown_stays() -> None:
    known = Redactor()
    known.add(["abc", ""])
    assert not known
    assert known.text("abc abcd") == "abc abcd"
    known.add(["hunter2!"])
    assert known.anything({"a": ["hunter2!", 1, None], "hunter2!": True}) == {
        "a": [MARK, 1, None],
        MARK: True,
    }


@pytest.mark.parametrize("cut", range(1, 8))
def test_the_beginning_of_a_value_at_the_end_is_found(cut: int) -> None:
    known = Redactor()
    known.add(["hunter2!"])
    assert known.beginning("it is " + "hunter2!"[:cut]) == f"it is {MARK}"
    assert known.beginning("hunter2! it was") == f"{MARK} it was"


def test_a_value_that_ends_as_it_begins_is_found_whole() -> None:
    known = Redactor()
    known.add(["hunter-hunt"])
    assert known.beginning("it is hunter-hunt") == f"it is {MARK}"
    assert known.beginning("it is hunter-hunthun") == f"it is {MARK}{MARK}"


class Unsayable:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Unsayable({self.text})"


@pytest.mark.parametrize("at", [0, LIMIT // 2 - 6, LIMIT - 60, LIMIT - 12, LIMIT - 5, LIMIT, LIMIT + 40])
def test_no_preview_shows_a_part_of_it(at: int) -> None:
    secret = "Zq7!Wx9#Kv3$Jh5%"
    redactor.add([secret])
    text = "a" * at + secret + "b" * 3000
    many = [secret] * 200 + [text]
    for value in (
        text,
        text.encode(),
        [text],
        {"k": text},
        (text,),
        Unsayable(text),
        [Unsayable(text)],
        many,
        b"\0" + text.encode(),
    ):
        preview = encode(value).preview
        assert preview is not None
        assert len(preview.encode()) <= LIMIT
        for size in range(2, len(secret)):
            assert secret[:size] not in preview
            assert secret[-size:] not in preview
    assert encode(secret).preview == f'"{MARK}"'
    assert encode(secret).data == json.dumps(secret).encode()
    assert encode("nothing").preview is None


def test_short_bytes_are_not_shown_in_hexadecimal() -> None:
    redactor.add(["hunter2!"])
    assert encode(b"\0hunter2!").preview == "<9 bytes>"
    assert encode(b"\0other").preview == "<6 bytes> 00 6f 74 68 65 72"


class OwnError(Exception):
    def __init__(self, key: str, code: int) -> None:
        super().__init__(key, code)
        self.key = key


def test_an_exception_keeps_its_class_without_the_value() -> None:
    redactor.add(["hunter2!"])
    try:
        try:
            raise KeyError("hunter2!")
        except KeyError as cause:
            raise OwnError("hunter2!", 7) from cause
    except OwnError as error:
        described = describe(error)
    assert "hunter2!" not in json.dumps({**described, "traceback": ""})
    assert "OwnError: ('***', 7)" in described["traceback"]
    back = rebuild(described)
    assert type(back) is OwnError
    assert (back.args, back.key) == ((MARK, 7), MARK)


def test_each_member_of_a_group_is_redacted() -> None:
    redactor.add(["hunter2!"])
    described = describe(ExceptionGroup("hunter2!", [ValueError("no hunter2!")]))
    assert "hunter2!" not in json.dumps(described)
    back = rebuild(described)
    assert isinstance(back, ExceptionGroup)
    assert str(back.exceptions[0]) == f"no {MARK}"
