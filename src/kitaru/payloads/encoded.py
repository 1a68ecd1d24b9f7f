"""What an encoded value is: bytes, the codec that made them, and the digest that names them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import NamedTuple

DIGEST_BYTES = 20
PART_CODEC = "part"


class Part(NamedTuple):
    """One node or element of a value that is stored as a tree, named by its own digest."""

    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as it is stored.

    Attributes:
        codec: ``"json"``, ``"bytes"``, ``"arrow"``, ``"tree"`` or ``"pickle"``.
        digest: names the value: 40 hexadecimal digits over codec and data.
        size: logical size in bytes; of a tree, its root and all its parts.
        type: the Python type as shown to people, ``"str"`` or ``"pkg.mod.Report"``.
        media_type: the media type of ``data``.
        data: the bytes; of a tree, its root.
        preview: at most 2 KiB of text; ``None`` where ``data`` is short plain JSON without a known
            secret and so its own preview.
        parts: what a tree's root refers to; empty for every other codec.
    """

    codec: str
    digest: str
    size: int
    type: str
    media_type: str
    data: bytes
    preview: str | None
    parts: tuple[Part, ...] = ()


@cache
def _begun(codec: str) -> blake2b:
    return blake2b(codec.encode() + b"\0", digest_size=DIGEST_BYTES)


def hasher_of(codec: str) -> blake2b:
    """What ``digest_of`` says, for data that comes piece by piece."""
    return _begun(codec).copy()


def digest_of(codec: str, data: bytes) -> str:
    """The name of ``data`` under ``codec``: BLAKE2b of 20 bytes over codec, NUL and data, in hexadecimal.

    Example:
        >>> digest_of("json", b"1")
        '8dc92d4bf445739e3bad825e2656010a2a910745'
    """
    hasher = hasher_of(codec)
    hasher.update(data)
    return hasher.hexdigest()
