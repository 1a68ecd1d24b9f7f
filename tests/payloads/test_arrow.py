"""Arrays and tables of numpy, pandas, polars and pyarrow come back equal, of the same type, and writable."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from kitaru.payloads import encode
from tests.payloads.equality import read, round_trip

FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, float("nan")]}),
    pd.DataFrame({"when": pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin")}),
    pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("x", 1)], names=["k", None])),
    pd.DataFrame({"c": pd.Categorical(["b", "a"], categories=["b", "a"], ordered=True)}),
    pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}, index=["r", "s"]),
    pd.DataFrame(),
    pd.DataFrame({1: [1], 2: [2]}),
    pd.DataFrame(np.eye(3), index=pd.date_range("2024-01-01", periods=3, freq="W", name="week")),
]
POLARS = [
    pl.DataFrame({"a": [1, None], "b": [["x"], []], "c": [1.5, float("nan")]}),
    pl.DataFrame({"when": [dt.datetime(2024, 1, 1)], "d": [dt.timedelta(1)], "s": [{"k": 1}]}),
    pl.DataFrame(),
    pl.DataFrame({"e": pl.Series(["a"], dtype=pl.Enum(["a", "b"]))}),
    pl.DataFrame({"c": ["a", "b"]}, schema={"c": pl.Categorical}),
]
TABLES = [
    pa.table({"a": [1, None], "b": ["x", "y"]}, metadata={"mine": "kept"}),
    pa.record_batch({"a": pa.array([1, 2], pa.int8())}),
    pa.record_batch({"a": pa.array([], pa.int8())}),
    pa.array([[1], None]),
    pa.array([], pa.string()),
    pa.array(["a", "b", "a"]).dictionary_encode(),
    pa.chunked_array([[1, 2], [3]]),
]


@given(
    hnp.arrays(
        hnp.boolean_dtypes()
        | hnp.integer_dtypes(endianness="?")
        | hnp.floating_dtypes(endianness="?")
        | hnp.complex_number_dtypes()
        | hnp.datetime64_dtypes()
        | hnp.timedelta64_dtypes()
        | hnp.unicode_string_dtypes()
        | hnp.byte_string_dtypes(),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_array(value: Any) -> None:
    encoded = encode(value, allow_pickle=False)
    assert encoded.codec == "arrow"
    back = read(encoded)
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape, back.tobytes()) == (value.dtype, value.shape, value.tobytes())
    assert back.flags.writeable


def test_memory_order_is_kept() -> None:
    value = np.asfortranarray(np.arange(6).reshape(2, 3))
    back = round_trip(value)
    assert back.flags.f_contiguous
    assert np.array_equal(back, value)


@pytest.mark.parametrize("value", FRAMES, ids=itertools.count())
def test_pandas_frame(value: pd.DataFrame) -> None:
    back = round_trip(value)
    pd.testing.assert_frame_equal(back, value)
    assert back.columns.identical(value.columns)


@pytest.mark.parametrize("name", [None, "", "n"], ids=itertools.count())
def test_pandas_series(name: str | None) -> None:
    value = pd.Series([1.0, 2.0], index=["a", "b"], name=name)
    pd.testing.assert_series_equal(round_trip(value), value)
    value = pd.Series([1, 2], index=pd.date_range("2024-01-01", periods=2, freq="h"), name=name)
    pd.testing.assert_series_equal(round_trip(value), value)


@pytest.mark.parametrize("value", POLARS, ids=itertools.count())
def test_polars(value: pl.DataFrame) -> None:
    back = round_trip(value)
    assert back.equals(value)
    assert back.schema == value.schema
    for series in value:
        pl.testing.assert_series_equal(round_trip(series), series)


@pytest.mark.parametrize("value", TABLES, ids=itertools.count())
def test_pyarrow(value: Any) -> None:
    back = round_trip(value)
    assert type(back) is type(value)
    assert back.equals(value)
    if hasattr(value, "schema"):
        assert back.schema.equals(value.schema, check_metadata=True)


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "x", None], dtype=object),
        np.zeros(2, dtype=[("a", "i4")]),
        pd.DataFrame({"mixed": [1, "x"]}),
        pd.DataFrame({"ints": pd.Series([1, 2], dtype=object)}),
        pd.DataFrame([[1, 2]], columns=["same", "same"]),
        pd.Series([1], name=("a", 1)),
    ],
    ids=itertools.count(),
)
def test_what_arrow_cannot_say_is_pickled(value: Any) -> None:
    assert encode(value).codec == "pickle"


@pytest.mark.parametrize(
    "value",
    [
        *(np.float64(1.5), np.float32("nan"), np.int8(-3), np.bool_(True), np.str_("é"), np.bytes_(b"x")),
        *(np.datetime64("2024-01-01"), np.complex64(1j), np.str_("")),
    ],
    ids=itertools.count(),
)
def test_numpy_scalars_are_json(value: Any) -> None:
    encoded = encode({"score": value}, allow_pickle=False)
    assert encoded.codec == "json"
    back = read(encoded)["score"]
    assert type(back) is type(value)
    assert (back.dtype, back.tobytes()) == (value.dtype, value.tobytes())


def test_arrays_inside_of_plain_data() -> None:
    back = round_trip({"x": np.arange(3), "frame": FRAMES[0]})
    assert np.array_equal(back["x"], np.arange(3))
    pd.testing.assert_frame_equal(back["frame"], FRAMES[0])


def test_the_bytes_are_a_plain_arrow_stream() -> None:
    with pa.ipc.open_stream(encode(TABLES[0]).data) as stream:
        assert stream.read_all().to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]


def test_no_version_stands_in_the_bytes() -> None:
    data = encode(FRAMES[0]).data
    assert pd.__version__.encode() not in data
    assert pa.__version__.encode() not in data


def test_the_preview_shows_the_table() -> None:
    assert "x" in (encode(FRAMES[0]).preview or "")
