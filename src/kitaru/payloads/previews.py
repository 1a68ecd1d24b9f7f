"""Previews: at most 2 KiB of text that tell people what a value is without loading it, and no secret."""

from __future__ import annotations

import reprlib
from typing import Any

from kitaru.payloads.jsontext import dumps, kind_of
from kitaru.redaction import redactor

LIMIT = 2048
# A value kept in parts often grows by a part a step: its beginning, which never changes, is written each time.
LIMIT_OF_PARTS = 256
_ELLIPSIS = "…"


def preview_of(codec: str, data: bytes, preview: str | None) -> str:
    """The preview of a stored value: the text beside it, else ``data``, which then is short plain JSON.

    Example:
        >>> preview_of("json", b"[1,2]", None)
        '[1,2]'
    """
    return data.decode() if preview is None else preview


def room() -> int:
    """Characters to look at for a preview: so many that a secret is not cut in two by its end."""
    return LIMIT + 1 + redactor.longest


def cut(text: str, *, goes_on: bool = False, limit: int = LIMIT) -> str:
    """``text`` without secrets and NUL, at most ``limit`` bytes of UTF-8; an ellipsis says that something was left out.

    ``goes_on``: it is itself the beginning of something longer.
    """
    if redactor:
        known = room()
        whole = len(text) < known and not goes_on
        text = redactor.text(text) if whole else redactor.beginning(text[:known]) + _ELLIPSIS
    data = text[:limit].encode(errors="backslashreplace").replace(b"\0", b"\\x00")
    if len(data) <= limit and len(text) <= limit:
        return data.decode()
    left = limit - len(_ELLIPSIS.encode())
    return data[:left].decode(errors="ignore") + _ELLIPSIS


def of_struct(struct: Any, limit: int = LIMIT) -> str:
    """A preview of tagged JSON that shows values without their tags, and no secret."""
    pieces: list[str] = []
    _write(struct, pieces, room())
    return cut("".join(pieces), limit=limit)


def of_bytes(data: bytes, more: int = 0) -> str:
    """A preview of raw bytes: their text where they are text, else their number and the first few.

    ``more``: so many bytes follow that are not at hand.
    """
    head = data[: LIMIT + 4 + 4 * redactor.longest]
    for end in range(len(head), max(len(head) - 4, -1), -1):
        try:
            text = head[:end].decode()
        except UnicodeDecodeError:
            if end == len(data):
                break
            continue
        if text.isprintable() or not any(ord(char) < 32 and char not in "\t\r\n" for char in text):
            return cut(text, goes_on=more > 0 or end < len(data))
        break
    size = f"<{len(data) + more} bytes>"
    if redactor:
        text = data[: 64 + 4 * redactor.longest].decode(errors="replace")
        if redactor.text(text) != text:
            return size
    return f"{size} {data[:64].hex(' ')}"


def of_repr(value: Any) -> str:
    """A preview by ``repr``, bounded on the way, safe against a ``__repr__`` that raises."""
    return cut(_REPR.repr(value))


class _Repr(reprlib.Repr):
    """What is too long loses its middle: secrets are taken out before."""

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(redactor.text(x), level)

    def repr_instance(self, x: Any, level: int) -> str:
        if not redactor:
            return super().repr_instance(x, level)
        try:
            text = repr(x)
        except Exception:  # a user's own __repr__ may raise anything; asked again, the parent says so
            return super().repr_instance(x, level)
        return redactor.text(text)


_REPR = _Repr()
_REPR.maxstring = _REPR.maxother = LIMIT


def _write(struct: Any, pieces: list[str], room: int) -> int:
    """Append the text of ``struct`` while there is room; the room that is left."""
    if room <= 0:
        return room
    kind = kind_of(struct)
    if kind is list:
        return _write_items(struct, pieces, room)
    if kind is dict:
        if "$" in struct:
            return _write_tagged(struct, pieces, room)
        return _write_pairs(list(struct.items())[:room], pieces, room)
    return _append(dumps(struct[:room] if kind is str else struct), pieces, room)


def _append(text: str, pieces: list[str], room: int) -> int:
    pieces.append(text)
    return room - len(text)


def _write_items(items: list[Any], pieces: list[str], room: int) -> int:
    room = _append("[", pieces, room)
    for position, item in enumerate(items):
        if room <= 0:
            return room
        room = _write(item, pieces, _append("," if position else "", pieces, room))
    return _append("]", pieces, room)


def _write_pairs(items: list[Any], pieces: list[str], room: int) -> int:
    room = _append("{", pieces, room)
    for position, (key, item) in enumerate(items):
        if room <= 0:
            return room
        room = _write(key, pieces, _append("," if position else "", pieces, room))
        room = _write(item, pieces, _append(":", pieces, room))
    return _append("}", pieces, room)


_PAIRS = frozenset({"dict", "ordered", "counter", "defaultdict"})


def _write_tagged(struct: dict[str, Any], pieces: list[str], room: int) -> int:
    tag, said = struct["$"], struct.get("v")
    if tag == "secret":
        return _append('"**********"', pieces, room)
    if tag in ("bytes", "bytearray", "arrow"):
        return _append(f"<{len(said or '') * 3 // 4} bytes>", pieces, room)
    if tag == "numpy":
        return _append(struct["text"], pieces, room)
    if tag in _PAIRS:
        return _write_pairs(said or [], pieces, room)
    return _write(said, pieces, room)
