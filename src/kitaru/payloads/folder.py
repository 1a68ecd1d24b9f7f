"""Object storage in a local folder."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from kitaru.payloads.encoded import hasher_of
from kitaru.payloads.stored import failed, key_of, missing, stream, verified
from kitaru.payloads.streams import pieces


class Folder:
    """A local folder. Written aside, synced, renamed, the folder synced: an object is whole or absent."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, digest: str, data: bytes) -> None:
        """See ``ObjectStorage``."""
        path = self._root / key_of(digest)
        try:
            self._make(path.parent)
            if not (path.is_file() and path.stat().st_size == len(data)):
                self._write(path, data)
            # Also for an object that another process wrote: its rename may not be on the disk yet.
            _sync_folder(path.parent)
        except OSError as error:
            failed("write", digest, str(path), error)

    def _write(self, path: Path, data: bytes) -> None:
        aside = path.with_name(f".{uuid4().hex}.tmp")
        try:
            with aside.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    def put_file(self, file: BinaryIO, start: int, codec: str) -> tuple[str, int]:
        """See ``ObjectStorage``."""
        incoming = self._root / "incoming"
        try:
            self._make(incoming)
            _sweep(incoming)
            aside = incoming / f"{uuid4().hex}.tmp"
            try:
                digest, size = _copy(file, start, codec, aside)
                path = self._root / key_of(digest)
                self._make(path.parent)
                aside.rename(path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)
        except OSError as error:
            failed("write", "of a file", str(incoming), error)
        return digest, size

    def _make(self, folder: Path) -> None:
        """Create ``folder`` and what is above it; each new one is synced into its parent."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    def get(self, digest: str, codec: str) -> bytes:
        """See ``ObjectStorage``."""
        path = self._root / key_of(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise missing(digest, f"file {path}") from error
        except OSError as error:
            failed("read", digest, str(path), error)
        return verified(digest, codec, data, str(path))

    def open(self, digest: str, codec: str) -> BinaryIO:
        """See ``ObjectStorage``."""
        path = self._root / key_of(digest)
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise missing(digest, f"file {path}") from error
        except OSError as error:
            failed("read", digest, str(path), error)
        return stream(pieces(file), digest, codec, str(path), close=file.close)

    def exists(self, digest: str) -> bool:
        """See ``ObjectStorage``."""
        path = self._root / key_of(digest)
        try:
            path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            failed("look up", digest, str(path), error)
        return True

    def delete(self, digest: str) -> None:
        """See ``ObjectStorage``."""
        path = self._root / key_of(digest)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            failed("delete", digest, str(path), error)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(file: BinaryIO, start: int, codec: str, aside: Path) -> tuple[str, int]:
    """Copy what a file holds, synced, under a lock that ends with this process."""
    hasher, size = hasher_of(codec), 0
    with aside.open("xb") as copy:
        fcntl.flock(copy, fcntl.LOCK_EX)
        file.seek(start)
        for piece in pieces(file):
            hasher.update(piece)
            size += len(piece)
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    return hasher.hexdigest(), size


def _sweep(incoming: Path) -> None:
    """Remove what processes that died have left: nobody holds the lock of their copies."""
    for left in incoming.glob("*.tmp"):
        with suppress(FileNotFoundError), left.open("rb") as copy:
            try:
                fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            left.unlink(missing_ok=True)
