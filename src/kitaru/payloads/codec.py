"""Values to bytes and back: one codec is chosen by what the value is, the most readable one first."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from types import NoneType
from typing import Any
from uuid import UUID

from kitaru.errors import KitaruBackendError
from kitaru.payloads import arrow, pickled, previews
from kitaru.payloads.classes import UnsayableError, loaded_only, type_name
from kitaru.payloads.encoded import Encoded, Part, digest_of
from kitaru.payloads.jsontext import dumps, is_plain, kind_of, loads
from kitaru.payloads.plain import plain
from kitaru.payloads.tagged import from_tagged, to_tagged
from kitaru.payloads.trees import SMALLEST_TREE, Fetch, join, looks_long, split
from kitaru.redaction import redactor

_JSON = "application/json"
BYTES_MEDIA_TYPE = "application/octet-stream"
_MEDIA_TYPES = {
    "bytes": BYTES_MEDIA_TYPE,
    "arrow": "application/vnd.apache.arrow.stream",
    "tree": _JSON,
    "pickle": "application/vnd.python.pickle",
}


def encode(value: Any, *, allow_pickle: bool = True) -> Encoded:
    """``value`` as it is stored: JSON with types kept, raw bytes, Arrow, or as the last resort a pickle.

    Equal values of the same type and order have equal digests, in every process.

    Raises:
        KitaruUsageError: it needs pickle and ``allow_pickle`` is false, or pickle fails as well.

    Example:
        >>> encode({"city": "Oslo"}).data
        b'{"city":"Oslo"}'
        >>> decode("json", encode({1, 2}).data) == {1, 2}
        True
    """
    try:
        if is_plain(value):
            if not looks_long(value):
                text = dumps(value)
                if len(text) <= SMALLEST_TREE or kind_of(value) is str:
                    return _encoded_plain(value, text)
            return _encoded_struct(value, value, plain=True)
    except (ValueError, RecursionError):
        pass  # lone surrogates, nan, integers without decimal text, cycles: for the tags or for pickle
    kind = kind_of(value)
    if kind is bytes:
        return _encoded("bytes", value, value, previews.of_bytes(value))
    try:
        if arrow.handles(kind) and not arrow.is_scalar(value):
            return _encoded("arrow", value, arrow.dump(value), previews.of_repr(value))
        return _encoded_struct(value, to_tagged(value))
    except UnsayableError as unsayable:
        reason = str(unsayable)
    except RecursionError:
        reason = "a value that contains itself, or is nested too deeply"
    data = pickled.dump(value, reason, allow_pickle=allow_pickle)
    return _encoded("pickle", value, data, previews.of_repr(value))


def _encoded_plain(value: Any, text: str) -> Encoded:
    data = text.encode()
    its_own = len(data) <= previews.LIMIT and (not redactor or redactor.text(text) == text)
    preview = None if its_own else previews.cut(text)
    return Encoded("json", digest_of("json", data), len(data), type(value).__name__, _JSON, data, preview)


def _encoded_struct(value: Any, struct: Any, *, plain: bool = False) -> Encoded:
    data, parts = split(struct)
    if plain and not parts:
        return _encoded_plain(value, data.decode())
    codec = "tree" if parts else "json"
    limit = previews.LIMIT_OF_PARTS if parts else previews.LIMIT
    return _encoded(codec, value, data, previews.of_struct(struct, limit), parts)


def _encoded(codec: str, value: Any, data: bytes, preview: str, parts: tuple[Part, ...] = ()) -> Encoded:
    name = type_name(kind_of(value))
    size = len(data) + sum(len(part.data) for part in parts)
    media_type = _MEDIA_TYPES.get(codec, _JSON)
    return Encoded(codec, digest_of(codec, data), size, name, media_type, data, preview, parts)


def decode(codec: str, data: bytes, *, fetch: Fetch | None = None, allow_pickle: bool = True) -> Any:
    """The value behind ``data``, equal to the one that was encoded and of the same type.

    Args:
        codec: the codec it was stored with.
        data: its bytes; of a tree, the root.
        fetch: gives the parts of a tree by their digests; asked once a level.
        allow_pickle: whether a pickle may be loaded, which runs code of the writer's choosing. Without it no module
            is imported either because the data names it.

    Raises:
        KitaruUsageError: it is a pickle and ``allow_pickle`` is false, or a tree and ``fetch`` is missing.
        KitaruRuntimeError: a class that it needs cannot be imported here.
        KitaruBackendError: the data is damaged, or a part is missing.
    """
    if codec == "json" and b'"$"' not in data:
        return loads(data)
    if not allow_pickle:
        with loaded_only():
            return _decoded(codec, data, fetch, allow_pickle=False)
    return _decoded(codec, data, fetch, allow_pickle=True)


def _decoded(codec: str, data: bytes, fetch: Fetch | None, *, allow_pickle: bool) -> Any:
    if codec == "json":
        return from_tagged(loads(data))
    if codec == "tree":
        return from_tagged(join(data, fetch))
    if codec == "bytes":
        return data
    if codec == "arrow":
        return arrow.load(data)
    if codec == "pickle":
        return pickled.load(data, allow_pickle=allow_pickle)
    raise KitaruBackendError(f"Unknown codec {codec!r}: a newer version wrote it. Upgrade kitaru.")


def decode_plain(codec: str, data: bytes, *, fetch: Fetch | None = None) -> Any:
    """The value as plain data, whatever classes it is of: looks at it without running anybody's code.

    Raises:
        KitaruUsageError: it is a pickle, or a tree and ``fetch`` is missing.
        KitaruBackendError: the data is damaged, or a part is missing.
    """
    if codec in ("json", "tree"):
        struct = loads(data) if codec == "json" else join(data, fetch)
        try:
            with loaded_only():
                return plain(struct)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise KitaruBackendError(
                f"A stored value is damaged: its tags do not fit together ({error!r}). Restore it from a backup."
            ) from error
    return decode(codec, data, fetch=fetch, allow_pickle=False)


def is_opaque(encoded: Encoded) -> bool:
    """Whether equal values may have different digests here: such a value is not compared and never cached."""
    return encoded.codec == "pickle"


_ATOMS = frozenset(
    {
        *(str, int, float, complex, bool, NoneType, bytes, range),
        *(UUID, Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, dt.timezone),
        *(type(Path()), type(PurePath())),
    }
)


def immutable(value: Any) -> bool:
    """Whether nobody can change ``value``, so that it may be handed on without a decoded copy.

    Example:
        >>> immutable((1, "a")), immutable((1, []))
        (True, False)
    """
    kind = kind_of(value)
    if kind in _ATOMS:
        return True
    if kind is tuple or kind is frozenset:
        return all(map(immutable, value))
    return isinstance(value, Enum)
