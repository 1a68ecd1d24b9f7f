"""Pickle is the last resort, can be switched off, and then nothing of recorded data is run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from kitaru.errors import KitaruBackendError, KitaruRuntimeError, KitaruUsageError
from kitaru.payloads import decode, encode
from tests.payloads import shapes


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_encode_refuses_and_says_what_to_do() -> None:
    with pytest.raises(KitaruUsageError) as caught:
        encode({"deep": [shapes.Plain(1)]}, allow_pickle=False)
    said = str(caught.value)
    assert "type dict" in said
    assert "tests.payloads.shapes.Plain" in said
    assert "pydantic model" in said
    assert "allow_pickle" in said


def test_a_local_class_is_explained() -> None:
    with pytest.raises(KitaruUsageError, match="defined inside a function"):
        encode(shapes.local_report(), allow_pickle=False)


def test_decode_refuses_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ran"
    encoded = encode(Bomb(path))
    with pytest.raises(KitaruUsageError, match=r"type tests\.payloads\.test_pickle\.Bomb is a pickle"):
        decode(encoded.codec, encoded.data, allow_pickle=False)
    assert not path.exists()
    decode(encoded.codec, encoded.data)
    assert path.exists()


def test_what_even_pickle_cannot_say() -> None:
    with pytest.raises(KitaruUsageError, match=r"_thread\.lock.*keep connections, locks and clients out"):
        encode({"lock": threading.Lock()})


def test_a_pickle_that_does_not_load() -> None:
    with pytest.raises(KitaruRuntimeError, match=r"type pkg\.Gone does not load here"):
        decode("pickle", b"pkg.Gone\0\x80\x05cno_such_module\nGone\n.")


@pytest.mark.parametrize(
    "data",
    [
        b'{"$":"text","c":"subprocess:Popen","v":"touch ran"}',
        b'{"$":"model","c":"subprocess:Popen","v":{"args":"touch ran"}}',
        b'{"$":"dataclass","c":"subprocess:Popen","v":{"args":"touch ran"}}',
        b'{"$":"derived","c":"subprocess:Popen","b":"str","v":"touch ran"}',
        b'{"$":"enum","c":"subprocess:Popen","v":"touch ran"}',
        b'{"$":"flag","c":"subprocess:Popen","v":"touch ran"}',
        b'{"$":"url","c":"subprocess:Popen","v":"touch ran"}',
        b'{"$":"secret","c":"subprocess:Popen","v":"touch ran"}',
        b'{"$":"defaultdict","f":"Popen","v":[]}',
        b'{"$":"no such tag"}',
        b"{broken",
        b"\xff",
    ],
)
def test_forged_or_damaged_data_calls_nothing(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KitaruBackendError):
        decode("json", data, allow_pickle=False)
    assert not list(tmp_path.iterdir())


def test_a_class_that_is_gone_is_named() -> None:
    for ref in ("tests.payloads.shapes:Gone", "tests.payloads.no_such_module:Gone"):
        with pytest.raises(KitaruRuntimeError, match=r"tests\.payloads\.\w+\.Gone"):
            decode("json", f'{{"$":"model","c":"{ref}","v":{{}}}}'.encode())


def test_an_enum_member_that_is_gone_is_named() -> None:
    with pytest.raises(KitaruRuntimeError, match=r"Colour\.GREEN"):
        decode("json", b'{"$":"enum","c":"tests.payloads.shapes:Colour","v":"GREEN"}')


def test_a_field_that_came_later_takes_its_default_and_one_that_is_gone_is_left_out() -> None:
    data = b'{"$":"model","c":"tests.payloads.shapes:Dog","v":{"name":"Rex","tail":true}}'
    assert decode("json", data) == shapes.Dog(name="Rex")
    data = b'{"$":"dataclass","c":"tests.payloads.shapes:Report","v":{"title":"t","pages":3}}'
    assert decode("json", data) == shapes.Report("t")


def test_an_unknown_codec() -> None:
    with pytest.raises(KitaruBackendError, match="Unknown codec 'zip'"):
        decode("zip", b"")
