"""How each kind of array, column and table becomes an Arrow table and comes back; needs pyarrow."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kitaru.payloads.classes import UnsayableError
from kitaru.payloads.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

pa: Any = import_module("pyarrow")  # it has no types

Note = dict[str, Any]
Written = tuple[Any, Note]

_COLUMN = "value"


def _write_ndarray(value: Any) -> Written:
    import numpy as np

    kind = value.dtype
    if kind.hasobject or kind.names or kind.subdtype or kind.metadata:
        raise UnsayableError(value, f"arrays of {kind} have no form in Arrow")
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    flat = value.ravel(order=order)
    if kind.kind not in "iuf" or not kind.isnative or kind.itemsize > 8:
        # Text, complex, dates, other byte orders: the bytes as they are, and the dtype beside them.
        flat = np.frombuffer(flat.tobytes(), np.uint8)
    note = {"kind": "numpy", "dtype": kind.str, "shape": list(value.shape), "order": order}
    return pa.table({_COLUMN: pa.array(flat)}), note


def _read_ndarray(table: Any, note: Note) -> Any:
    import numpy as np

    chunks = [chunk.to_numpy(zero_copy_only=False) for chunk in table.column(0).chunks]
    kind = np.dtype(note["dtype"])
    if not kind.itemsize:
        return np.zeros(note["shape"], kind, order=note["order"])
    # A copy: Arrow's memory is read-only, and the flow may write to its array.
    data = bytearray(np.concatenate(chunks).tobytes() if chunks else b"")
    return np.frombuffer(data, kind).reshape(note["shape"], order=note["order"])


def _write_dataframe(value: Any) -> Written:
    note: Note = {"kind": "pandas", "freq": _freq(value)}
    columns = value.columns
    if type(columns).__name__ == "RangeIndex":
        note["columns"] = [columns.start, columns.stop, columns.step]
    return _from_pandas(value), note


def _from_pandas(value: Any) -> Any:
    """As an Arrow table, without the versions of pandas and pyarrow: a digest must outlive their updates."""
    table = pa.Table.from_pandas(value)
    metadata = dict(table.schema.metadata)
    said = json.loads(metadata[b"pandas"])
    metadata[b"pandas"] = dumps({**said, "creator": {}, "pandas_version": ""}).encode()
    return table.replace_schema_metadata(metadata)


def _freq(value: Any) -> str | None:
    """The regular step of a time index, which Arrow has no word for."""
    return getattr(value.index, "freqstr", None) if getattr(value.index, "freq", None) is not None else None


def _read_dataframe(table: Any, note: Note) -> Any:
    pd: Any = import_module("pandas")

    frame = table.to_pandas()
    if "columns" in note:
        frame.columns = pd.RangeIndex(*note["columns"], name=frame.columns.name)
    if note["freq"] is not None and hasattr(frame.index, "freq"):
        frame.index.freq = note["freq"]
    return frame


def _write_series(value: Any) -> Written:
    if value.name is not None and not isinstance(value.name, str):
        raise UnsayableError(value, "its name is no text")
    return _from_pandas(value.to_frame(_COLUMN)), {
        "kind": "pandas.series",
        "name": value.name,
        "freq": _freq(value),
    }


def _read_series(table: Any, note: Note) -> Any:
    return _read_dataframe(table, note)[_COLUMN].rename(note["name"])


def _write_polars(value: Any) -> Written:
    return value.to_arrow(), {"kind": "polars"}


def _read_polars(table: Any, note: Note) -> Any:
    pl: Any = import_module("polars")

    return pl.from_arrow(table)


def _write_polars_series(value: Any) -> Written:
    return value.to_frame(_COLUMN).to_arrow(), {"kind": "polars.series", "name": value.name}


def _read_polars_series(table: Any, note: Note) -> Any:
    pl: Any = import_module("polars")

    frame = pl.from_arrow(table)
    return frame[_COLUMN].alias(note["name"])


def _write_table(value: Any) -> Written:
    return value, {"kind": "table"}


def _write_chunked(value: Any) -> Written:
    return pa.table({_COLUMN: value}), {"kind": "chunked"}


def _write_batch(value: Any) -> Written:
    return pa.Table.from_batches([value]), {"kind": "batch"}


def _read_batch(table: Any, note: Note) -> Any:
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _write_array(value: Any) -> Written:
    return pa.table({_COLUMN: value}), {"kind": "array"}


def _read_array(table: Any, note: Note) -> Any:
    column = table.column(0)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def same(value: Any, other: Any) -> bool:
    """Whether a value came back as it was: class, types, content (NaN equals itself), index, names."""
    library = type(value).__module__.partition(".")[0]
    if type(value) is not type(other):
        return False
    return _SAME[library](value, other)


def _same_numpy(value: Any, other: Any) -> bool:
    # Bytes, not ==: NaN and -0.0 count as they are.
    return value.dtype == other.dtype and value.shape == other.shape and value.tobytes() == other.tobytes()


def _same_pandas(value: Any, other: Any) -> bool:
    if value.ndim == 2:
        if not (value.columns.identical(other.columns) and _same_labels(value.columns, other.columns)):
            return False
        columns = [(value.iloc[:, i], other.iloc[:, i]) for i in range(value.shape[1])]
    else:
        columns = [(value, other)] if value.name == other.name else []
        if not columns:
            return False
    return (
        value.attrs == other.attrs
        and value.index.identical(other.index)
        and _same_labels(value.index, other.index)
        and all(mine.equals(theirs) and _same_labels(mine, theirs) for mine, theirs in columns)
    )


def _same_labels(mine: Any, theirs: Any) -> bool:
    # equals() takes None for NaN and 1 for True where the column holds Python objects.
    if mine.dtype != theirs.dtype or type(mine) is not type(theirs):
        return False
    return mine.dtype != object or list(map(type, mine)) == list(map(type, theirs))


def _same_polars(value: Any, other: Any) -> bool:
    if value.equals(other):
        return value.dtype == other.dtype if hasattr(value, "dtype") else value.schema == other.schema
    return False


def _same_arrow(value: Any, other: Any) -> bool:
    # Content is Arrow's own promise; its equality calls NaN different from itself.
    if hasattr(value, "schema"):
        return value.schema.equals(other.schema, check_metadata=True) and value.num_rows == other.num_rows
    return value.type == other.type and len(value) == len(other)


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "numpy": _same_numpy,
    "pandas": _same_pandas,
    "polars": _same_polars,
    "pyarrow": _same_arrow,
}


WRITERS: dict[str, Callable[[Any], Written]] = {
    "numpy.ndarray": _write_ndarray,
    "pandas.DataFrame": _write_dataframe,
    "pandas.Series": _write_series,
    "polars.DataFrame": _write_polars,
    "polars.Series": _write_polars_series,
    "pyarrow.Table": _write_table,
    "pyarrow.RecordBatch": _write_batch,
    "pyarrow.ChunkedArray": _write_chunked,
} | {f"pyarrow.{name}": _write_array for name in dir(pa) if name.endswith("Array") and name != "ChunkedArray"}

READERS: dict[str, Callable[[Any, Note], Any]] = {
    "numpy": _read_ndarray,
    "pandas": _read_dataframe,
    "pandas.series": _read_series,
    "polars": _read_polars,
    "polars.series": _read_polars_series,
    "table": lambda table, note: table,
    "batch": _read_batch,
    "array": _read_array,
    "chunked": lambda table, note: table.column(0),
}
