"""What stands beside the bytes: digest, size, type, preview; and which values need no copy."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import subprocess
import sys
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitaru.payloads import digest_of, encode, immutable, is_opaque, preview_of
from tests.payloads import shapes

DIGESTS = """
import sys
from kitaru.payloads import encode
from tests.payloads import shapes
values = [
    {"b", "a", "c", 1, None}, frozenset(range(50)), {frozenset({"x", "y"}), frozenset({"z"})},
    {"$": 1}, shapes.Dog(name="Rex"), shapes.Report("t", {"q", "r"}), [str(i) * 99 for i in range(99)],
]
print([encode(value).digest for value in values])
"""


def test_digest_is_blake2b_over_codec_and_data() -> None:
    encoded = encode("hi")
    assert encoded.digest == blake2b(b'json\0"hi"', digest_size=20).hexdigest() == digest_of("json", b'"hi"')


def test_digests_are_the_same_in_every_process() -> None:
    seen = {
        subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_types_that_compare_equal_have_digests_of_their_own() -> None:
    digests = {encode(value).digest for value in (1, 1.0, True, "1", (1,), [1], {1}, shapes.Level.LOW)}
    assert len(digests) == 8


def test_a_class_in_the_script_itself_is_found_again(tmp_path: Any) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from dataclasses import dataclass\n"
        "from kitaru.payloads import decode, encode\n"
        "@dataclass\nclass Here:\n    x: int\n"
        "e = encode(Here(1), allow_pickle=False)\n"
        "assert decode(e.codec, e.data) == Here(1)\n"
        "print(e.type, e.data.decode())\n"
    )
    ran = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True)
    assert ran.stdout == '__main__.Here {"$":"dataclass","c":"__main__:Here","v":{"x":1}}\n'


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", "str"),
        ({}, "dict"),
        (None, "NoneType"),
        (shapes.Dog(), "tests.payloads.shapes.Dog"),
        (b"", "bytes"),
    ],
)
def test_type_is_named_for_people(value: Any, name: str) -> None:
    assert encode(value).type == name


def test_size_counts_bytes() -> None:
    encoded = encode("é")
    assert encoded.size == len(encoded.data) == 4


def test_short_plain_json_is_its_own_preview() -> None:
    encoded = encode({"city": "Oslo"})
    assert encoded.preview is None
    assert preview_of(encoded.codec, encoded.data, encoded.preview) == '{"city":"Oslo"}'


@pytest.mark.parametrize(
    ("value", "preview"),
    [
        ({"a", "b"}, '["a","b"]'),
        (shapes.Dog(name="Rex"), '{"name":"Rex","barks":0}'),
        ({1: dt.date(2024, 1, 2)}, '{1:"2024-01-02"}'),
        (shapes.Colour.RED, '"RED"'),
        ((1, b"abc"), "[1,<3 bytes>]"),
        (b"some text", "some text"),
        (b"\x00\xff", "<2 bytes> 00 ff"),
        (b"", ""),
        (float("nan"), '"nan"'),
    ],
)
def test_preview_shows_values_without_tags(value: Any, preview: str) -> None:
    assert encode(value).preview == preview


def test_preview_hides_secrets() -> None:
    encoded = encode(shapes.Account(home="https://example.com", key="hush"))
    assert "hush" not in (encoded.preview or "hush")


@given(st.text(st.characters(), min_size=1500) | st.binary(min_size=2000) | st.lists(st.text(), min_size=100))
def test_preview_fits(value: Any) -> None:
    encoded = encode(value)
    preview = preview_of(encoded.codec, encoded.data, encoded.preview)
    assert len(preview.encode()) <= 2048
    assert "\0" not in preview


@given(st.binary(max_size=3000))
def test_preview_of_bytes_never_fails(value: bytes) -> None:
    assert encode(value).preview is not None


def test_a_broken_repr_does_not_stop_a_value() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert encode(Broken()).codec == "pickle"


def test_only_pickles_are_opaque() -> None:
    assert is_opaque(encode([shapes.Plain(1)]))
    assert not is_opaque(encode([1, (2,), shapes.Dog()]))


@pytest.mark.parametrize(
    "value",
    ["", 1, 1.5, True, None, b"", (), (1, ("a",)), frozenset({1}), dt.date.min, shapes.Colour.RED],
    ids=itertools.count(),
)
def test_immutable(value: Any) -> None:
    assert immutable(value)


@pytest.mark.parametrize("value", [[], {}, set(), ([],), bytearray(), shapes.Dog(), shapes.Name("x")])
def test_mutable(value: Any) -> None:
    assert not immutable(value)
