"""numpy, pandas, polars and pyarrow values as Arrow IPC streams.

None of these libraries is imported before a value of theirs is met. What kind of value a stream holds
stands in its schema's metadata, so the bytes can be read by everything that reads Arrow.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kitaru.errors import KitaruBackendError, KitaruFeatureNotAvailableError
from kitaru.payloads.classes import UnsayableError
from kitaru.payloads.jsontext import dumps, kind_of

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_KEY = b"kitaru"


def handles(cls: type) -> bool:
    """Whether values of this class are this module's concern: it comes from one of the four libraries."""
    return cls.__module__.partition(".")[0] in _LIBRARIES


def is_scalar(value: Any) -> bool:
    """Whether ``value`` is a numpy scalar, which is written as JSON."""
    return any(base.__module__ == "numpy" and base.__name__ == "generic" for base in type(value).__mro__)


def dump(value: Any) -> bytes:
    """``value`` as an Arrow IPC stream.

    Raises:
        UnsayableError: pyarrow is not installed, or Arrow would give the value back changed.
    """
    if find_spec("pyarrow") is None:
        raise UnsayableError(value, "pyarrow is not installed")
    pa: Any = import_module("pyarrow")

    from kitaru.payloads import frames

    cls = kind_of(value)
    writer = frames.WRITERS.get(f"{cls.__module__.partition('.')[0]}.{cls.__name__}")
    if writer is None:
        raise UnsayableError(value, "it has no form in Arrow")
    try:
        table, note = writer(value)
    except Exception as error:  # each library raises classes of its own; the next codec takes the value
        raise UnsayableError(value, f"Arrow cannot say it ({error})") from error
    metadata: dict[bytes, bytes] = {**(table.schema.metadata or {}), _KEY: dumps(note).encode()}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata(metadata)) as stream:
        stream.write_table(table)
    data = sink.getvalue().to_pybytes()
    if not frames.same(value, load(data)):
        raise UnsayableError(value, "Arrow would give it back changed")
    return data


def load(data: bytes) -> Any:
    """The value that :func:`dump` wrote.

    Raises:
        KitaruFeatureNotAvailableError: the library that the value belongs to is not installed.
        KitaruBackendError: the stream is damaged.
    """
    try:
        pa: Any = import_module("pyarrow")

        from kitaru.payloads import frames
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    try:
        with pa.ipc.open_stream(data) as stream:
            table = stream.read_all()
    except (pa.ArrowException, OSError) as error:
        raise KitaruBackendError(
            f"A stored value is damaged: it is no Arrow stream ({error}). Restore it from a backup."
        ) from error
    metadata = dict(table.schema.metadata or {})
    note = json.loads(metadata.pop(_KEY))
    table = table.replace_schema_metadata(metadata or None)
    try:
        return frames.READERS[note["kind"]](table, note)
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error


def _not_installed(error: ModuleNotFoundError) -> KitaruFeatureNotAvailableError:
    return KitaruFeatureNotAvailableError(
        f"A recorded value needs the package {error.name}: pip install {error.name}"
    )


def say(value: Any) -> Any:
    """``value`` as a part of a JSON value.

    Raises:
        UnsayableError: as for :func:`dump`.
    """
    if not is_scalar(value):
        return {"$": "arrow", "v": b64encode(dump(value)).decode("ascii")}
    kind = value.dtype
    if type(value) is not kind.type or kind.hasobject or kind.names or kind.kind not in "biufcSUmM":
        raise UnsayableError(value, f"a numpy scalar of {kind} cannot be said")
    return {"$": "numpy", "d": kind.str, "v": b64encode(value.tobytes()).decode("ascii"), "text": str(value)}


def read(struct: Any) -> Any:
    """The value that :func:`say` wrote as Arrow."""
    return load(b64decode(struct["v"]))


def read_scalar(struct: Any) -> Any:
    """The numpy scalar that :func:`say` wrote."""
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    data = b64decode(struct["v"])
    kind = np.dtype(struct["d"])
    return np.frombuffer(data, kind)[0] if kind.itemsize else kind.type()
