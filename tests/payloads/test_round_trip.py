"""What is encoded comes back equal and of the same type: without pickle, at every depth."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import math
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kitaru.payloads import decode, encode
from tests.payloads import shapes
from tests.payloads.equality import alike, read, round_trip

text = st.text(st.characters(), max_size=12) | st.sampled_from(["$", "#", "\ud83d\ude00", "\x00", "", "\\"])
zones = (
    st.none()
    | st.timezones()
    | st.sampled_from(
        [dt.UTC, dt.timezone(dt.timedelta(hours=-3, seconds=7)), dt.timezone(dt.timedelta(hours=1), "home")]
    )
)
keys = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | text
    | st.binary(max_size=8)
    | st.uuids()
    | st.dates()
    | st.sampled_from([*shapes.Colour, *shapes.Word, *shapes.Level])
)
leaves = (
    keys
    | st.floats()
    | st.sampled_from([10**4000, -(10**700), 2**2000, 2**2001])
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.datetimes(timezones=zones)
    | st.times(timezones=zones)
    | st.timedeltas()
    | st.ip_addresses()
    | st.builds(bytearray, st.binary(max_size=8))
    | st.builds(range, st.integers(), st.integers(), st.integers(min_value=1))
    | st.builds(shapes.Rights, st.integers(min_value=0, max_value=3))
    | st.builds(shapes.Name, text)
    | st.builds(shapes.Loud, text)
    | st.builds(shapes.Count, st.integers())
    | st.builds(shapes.Ratio, st.floats())
    | st.builds(shapes.Raw, st.binary(max_size=8))
    | st.builds(PurePosixPath, st.sampled_from(["a/b", "/", "", "\udcff"]))
)


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(keys, inner, max_size=5)
        | st.dictionaries(text, inner, max_size=5)
        | st.sets(keys, max_size=5)
        | st.frozensets(keys, max_size=5)
        | st.builds(shapes.Stack, st.lists(inner, max_size=4))
        | st.builds(shapes.Table, st.dictionaries(keys, inner, max_size=4))
        | st.builds(shapes.Group, st.sets(keys, max_size=4))
        | st.builds(shapes.Point, inner, inner)
        | st.builds(shapes.Report, text, inner)
        | st.builds(shapes.Frozen, inner)
        | st.builds(shapes.Crate, inner)
        | st.builds(lambda held: shapes.Owner.model_construct(pet=shapes.Dog(), anything=held), inner)
        | st.builds(lambda held: shapes.Open(**{"more": held}), inner)
        | st.builds(OrderedDict, st.dictionaries(keys, inner, max_size=4))
        | st.builds(deque, st.lists(inner, max_size=4), st.none() | st.just(4))
    )


values = st.recursive(leaves, nest, max_leaves=12)


@given(values)
@settings(max_examples=500, deadline=None)
def test_any_value(value: Any) -> None:
    assert alike(value, round_trip(value))


@given(values)
@settings(max_examples=200, deadline=None)
def test_encoding_again_gives_the_same_digest(value: Any) -> None:
    assert encode(round_trip(value)).digest == encode(value).digest


@given(st.lists(values, min_size=1, max_size=4), st.integers(min_value=33, max_value=1100))
@settings(max_examples=50, deadline=None)
def test_any_long_list(items: list[Any], length: int) -> None:
    value = [(number, items[number % len(items)], "x" * 150) for number in range(length)]
    assert encode(value, allow_pickle=False).codec == "tree"
    assert alike(value, round_trip(value))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a\ud800b",
        "\ud83d\ude00",
        "\U0001f600",
        -0.0,
        5e-324,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        2**70,
        -(2**20000),
        10**4400,
        {1: "int", "1": "str", (1,): "tuple", None: "none", 1.5: "float"},
        {"$": "set", "v": [1]},
        {"$": "#0000000000000000000000000000000000000000"},
        [{"$": {"$": "$"}}],
        {"z": 1, "a": 2},
        {True: 1, 2: 3},
        bytearray(b"\x00\xff"),
        complex(-0.0, math.nan),
        range(3, -9, -2),
        Counter("hello"),
        defaultdict(list, {"a": [1]}),
        defaultdict(None, {"a": 1}),
        Fraction(-3, 7),
        Decimal("-0E+3"),
        Decimal("sNaN123"),
        UUID(int=7),
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_interface("fe80::1%eth0/64"),
        Path("/tmp/../x"),
        PureWindowsPath("C:\\a\\b"),
        dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.datetime.max,
        dt.time(1, 2, tzinfo=dt.UTC),
        dt.timedelta.min,
        shapes.Colour.CRIMSON,
        shapes.Colour.BLUE,
        shapes.Rights.READ | shapes.Rights.WRITE,
        shapes.Rights(0),
        shapes.Slotted(3),
        shapes.Point(shapes.Point(1), {2}),
        shapes.Report,
        shapes.Box[int],
        shapes.Box[list[int] | None](held=[1]),
        shapes.Box[shapes.Box[str]](held=shapes.Box[str](held="x")),
        shapes.Numbers([1, 2]),
        shapes.Account(home="https://example.com/a?b=c", key="hush"),
        shapes.Checked(3),
        [[], {}, (), set(), frozenset(), b"", ""],
    ],
    ids=itertools.count(),
)
def test_corner(value: Any) -> None:
    assert alike(value, round_trip(value))


def test_zones_come_back_as_the_same_zone() -> None:
    for zone in (ZoneInfo("Asia/Kathmandu"), dt.timezone(dt.timedelta(hours=2), "x"), dt.UTC):
        back = round_trip(dt.datetime(2024, 1, 1, tzinfo=zone))
        assert type(back.tzinfo) is type(zone)
        assert str(back.tzinfo) == str(zone)


def test_a_moment_parsed_by_pydantic() -> None:
    moment = TypeAdapter(dt.datetime).validate_json('"2024-01-01T00:00:00+02:00"')
    back = round_trip(moment)
    assert (back, type(back.tzinfo)) == (moment, type(moment.tzinfo))


def test_a_default_factory_still_works() -> None:
    back = round_trip(defaultdict(list))
    back["new"].append(1)
    assert back == {"new": [1]}


def test_a_deque_keeps_its_bound() -> None:
    assert round_trip(deque([1, 2], maxlen=2)).maxlen == 2


def test_attributes_of_subclasses_are_kept() -> None:
    value = shapes.Labelled([1])
    value.label = "l"
    back = round_trip(value)
    assert (back, back.label) == ([1], "l")


def test_a_field_keeps_the_class_of_what_it_holds() -> None:
    back = round_trip(shapes.Owner(pet=shapes.Dog(name="Rex", barks=3), anything=(1, {2})))
    assert type(back.pet) is shapes.Dog
    assert back.pet.barks == 3
    assert back.anything == (1, {2})


def test_no_validator_runs() -> None:
    value = shapes.Shouting.model_construct(text="quiet", age=-1)
    back = round_trip(value)
    assert (back.text, back.age) == ("quiet", -1)


def test_no_constructor_runs() -> None:
    value = shapes.Awkward(1)
    back = round_trip(value)
    assert (back.amount, back.extra) == (2, [2])


def test_what_was_set_stays_known() -> None:
    back = round_trip(shapes.Dog(name="Rex"))
    assert back.model_dump(exclude_unset=True) == {"name": "Rex"}


def test_private_attributes_are_kept_and_cached_ones_computed_again() -> None:
    value = shapes.Private(shown=2)
    value._hidden.append(5)
    assert value.double == 4
    back = round_trip(value)
    assert back._hidden == [5]
    assert "double" not in back.__dict__
    assert back.double == 4


def test_seldom_used_fields_stay_unset() -> None:
    value = shapes.Report("t")
    del value.body  # the class's default shines through again
    assert round_trip(value) == value


def test_equal_elements_come_back_as_separate_objects() -> None:
    shared = {"text": "x" * 300, "marks": []}
    back = round_trip([shared] * 40)
    back[0]["marks"].append(1)
    assert back[1]["marks"] == []


def test_deep_nesting() -> None:
    value: Any = []
    for _ in range(250):
        value = [value]
    assert round_trip(value) == value


def test_bytes_are_stored_as_they_are() -> None:
    encoded = encode(b"\x00\x01")
    assert (encoded.codec, encoded.data, encoded.media_type) == (
        "bytes",
        b"\x00\x01",
        "application/octet-stream",
    )
    assert decode("bytes", encoded.data) == b"\x00\x01"


@pytest.mark.parametrize(
    "value",
    [shapes.local_report(), shapes.Plain([1]), shapes.Hooked([1]), shapes.Odd("t"), shapes.Queue("t")],
)
def test_the_rest_is_pickled(value: Any) -> None:
    encoded = encode(value)
    assert encoded.codec == "pickle"
    back = read(encoded)
    assert repr(back) == repr(value) or back == value


def test_functions_and_cycles_are_pickled() -> None:
    assert read(encode(shapes.doubler()))(4) == 8
    cycle: list[Any] = []
    cycle.append(cycle)
    back = read(encode(cycle))
    assert back[0] is back
