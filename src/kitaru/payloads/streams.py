"""Values too large for memory: hashed, copied and verified piece by piece."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from kitaru.payloads.encoded import hasher_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE = 1 << 20


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """What is left of a file, in pieces of 1 MiB at most."""
    while piece := file.read(PIECE):
        yield piece


def measured(file: BinaryIO, codec: str) -> tuple[str, int]:
    """Digest and size of what is left of a file."""
    hasher, size = hasher_of(codec), 0
    for piece in pieces(file):
        hasher.update(piece)
        size += len(piece)
    return hasher.hexdigest(), size


def unchanged(file: BinaryIO, codec: str, digest: str, error: Callable[[], Exception]) -> Iterator[bytes]:
    """The pieces of a file that was measured before; raises ``error()`` in place of the last one if it changed."""
    hasher, held = hasher_of(codec), b""
    for piece in pieces(file):
        if held:
            yield held
        hasher.update(piece)
        held = piece
    if hasher.hexdigest() != digest:
        raise error()
    yield held


class Verified(io.RawIOBase):
    """A stored value to be read from its beginning to its end.

    The read that comes to the end raises ``damaged(bytes, digest)`` when the value is not what it was stored as; a
    source that fails ends in ``failed(error)``.
    """

    def __init__(
        self,
        source: Iterable[bytes],
        codec: str,
        digest: str,
        damaged: Callable[[int, str], Exception],
        failed: Callable[[Exception], Exception],
        closed: Callable[[], None],
    ) -> None:
        self._source = iter(source)
        self._hasher = hasher_of(codec)
        self._digest = digest
        self._damaged = damaged
        self._failed = failed
        self._closed = closed
        self._size = 0
        self._rest = b""

    def readable(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """See ``io.RawIOBase``."""
        if not self.closed:
            self._closed()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See ``io.RawIOBase``."""
        into = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = self._next()
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self) -> bytes:
        try:
            piece = next((piece for piece in self._source if piece), b"")
        except Exception as error:
            raise self._failed(error) from error
        if piece:
            self._hasher.update(piece)
            self._size += len(piece)
        elif self._hasher.hexdigest() != self._digest:
            raise self._damaged(self._size, self._hasher.hexdigest())
        return piece
