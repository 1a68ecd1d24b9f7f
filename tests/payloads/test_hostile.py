"""Forged data that is no pickle: what a reader without pickle makes of it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from kitaru.errors import KitaruBackendError, KitaruRuntimeError, KitaruUserCodeError
from kitaru.payloads import decode, decode_plain, encode, rebuild
from tests.payloads import shapes


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that leaves a file behind when it is imported; the file."""
    gone_off = tmp_path / "gone off"
    (tmp_path / "bomb.py").write_text(
        f"from pathlib import Path\nPath({str(gone_off)!r}).touch()\n"
        "from enum import Enum\nfrom pydantic import BaseModel\nfrom dataclasses import dataclass\n"
        "class Model(BaseModel):\n    x: int\n"
        "@dataclass\nclass Data:\n    x: int\n"
        "class Colour(Enum):\n    RED = 1\n"
        "class Text(str): pass\n"
        "class Error(Exception): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "bomb", raising=False)
    return gone_off


STRUCTS: list[dict[str, Any]] = [
    {"$": "model", "c": "bomb:Model", "v": {"x": 1}},
    {"$": "dataclass", "c": "bomb:Data", "v": {"x": 1}},
    {"$": "enum", "c": "bomb:Colour", "v": "RED"},
    {"$": "derived", "c": "bomb:Text", "b": "str", "v": "x"},
    {"$": "class", "v": "bomb:Model"},
    {"$": "class", "v": ["|", "bomb:Model", "builtins:int"]},
    {"$": "class", "v": ["builtins:list", "bomb:Model"]},
]


@pytest.mark.parametrize("struct", STRUCTS)
def test_data_imports_no_module_where_pickle_is_off(bomb: Path, struct: dict[str, Any]) -> None:
    data = json.dumps([struct]).encode()
    with pytest.raises(KitaruRuntimeError, match="import bomb"):
        decode("json", data, allow_pickle=False)
    decode_plain("json", data)
    assert "bomb" not in sys.modules
    assert not bomb.exists()
    decode("json", data)
    assert bomb.exists()


def test_neither_does_an_exception(bomb: Path) -> None:
    described = {
        "class": "bomb:Error",
        "type": "bomb.Error",
        "message": "m",
        "state": '{"args":{"$":"tuple","v":["m"]},"attributes":{}}',
    }
    assert type(rebuild(described, allow_import=False)) is KitaruUserCodeError
    assert not bomb.exists()
    assert type(rebuild(described)).__name__ == "Error"


def test_nor_a_module_that_loads_its_parts_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    lazy = type(sys)("lazy_parts")
    lazy.__getattr__ = lambda name: asked.append(name) or shapes.Dog  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "lazy_parts", lazy)
    with pytest.raises(KitaruRuntimeError, match="no class Dog"):
        decode("json", b'{"$":"model","c":"lazy_parts:Dog","v":{"name":"Rex"}}', allow_pickle=False)
    assert asked == []


def test_what_is_loaded_is_found() -> None:
    for value in (shapes.Dog(name="Rex"), shapes.Colour.RED, shapes.Name("x")):
        encoded = encode(value, allow_pickle=False)
        assert decode(encoded.codec, encoded.data, allow_pickle=False) == value


HOLDERS = [
    {"$": "dataclass", "c": "tests.payloads.shapes:Report", "v": {}},
    {"$": "derived", "c": "tests.payloads.shapes:Name", "b": "str", "v": "x"},
]


def turned_into_a_closer(victim: Path) -> dict[str, Any]:
    return {
        "name": str(victim),
        "file": "none",
        "delete": True,
        "close_called": False,
        "cleanup_called": False,
        "__class__": {"$": "class", "v": f"{tempfile.__name__}:_TemporaryFileCloser"},
    }


@pytest.mark.parametrize("allow_pickle", [True, False])
@pytest.mark.parametrize("holder", HOLDERS)
def test_an_object_does_not_change_its_class(
    tmp_path: Path, holder: dict[str, Any], allow_pickle: bool
) -> None:
    victim = tmp_path / "kept"
    victim.touch()
    data = json.dumps({**holder, "x": turned_into_a_closer(victim)}).encode()
    with pytest.raises(KitaruBackendError, match="__class__"):
        decode("json", data, allow_pickle=allow_pickle)
    assert victim.exists()


def test_nor_does_an_exception(tmp_path: Path) -> None:
    victim = tmp_path / "kept"
    victim.touch()
    state = {"args": {"$": "tuple", "v": []}, "attributes": turned_into_a_closer(victim)}
    described = {"class": "kitaru.errors:KitaruError", "type": "E", "message": "", "state": json.dumps(state)}
    assert type(rebuild(described)) is KitaruUserCodeError
    assert victim.exists()


def test_plain_data_shows_every_kind_of_value() -> None:
    value = {
        "dog": shapes.Dog(name="Rex"),
        "colour": shapes.Colour.RED,
        "two": (1, {2}),
        "name": shapes.Name("x"),
    }
    encoded = encode(value)
    found = decode_plain(encoded.codec, encoded.data)
    assert found["dog"]["name"] == "Rex"
    assert (found["colour"], found["two"], found["name"]) == ("RED", [1, [2]], "x")
    keyed = encode({(1, 2): "pair"})
    assert decode_plain(keyed.codec, keyed.data) == {"[1,2]": "pair"}


@pytest.mark.parametrize(
    "data",
    [b'{"$":"model"}', b'{"$":"model","v":[1]}', b'{"$":"set","v":1}', b'{"$":"dict","v":[1]}', b'{"$":{}}'],
)
def test_damaged_plain_data_is_told(data: bytes) -> None:
    with pytest.raises(KitaruBackendError):
        decode_plain("json", data)
