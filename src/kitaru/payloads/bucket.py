"""Object storage of a cloud, or in memory."""

from __future__ import annotations

from typing import Any, BinaryIO

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads.stored import failed, key_of, missing, stream, verified
from kitaru.payloads.streams import PIECE, measured, unchanged


class Bucket:
    """A cloud's object storage, or memory. A put there is whole and durable by the service's own promise."""

    def __init__(self, url: str) -> None:
        import obstore
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        self._obstore = obstore
        self._url = url.rstrip("/") if url != "memory://" else "memory:/"
        # Python's own errors stand for some of the service's: not found, permission denied, timeouts.
        self._errors = (BaseError, OSError)
        try:
            self._store: Any = from_url(url)
        except (BaseError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise KitaruUsageError(f"The object storage {url!r} cannot be opened: {reason}.") from error

    def _place(self, digest: str) -> str:
        return f"{self._url}/{key_of(digest)}"

    def put(self, digest: str, data: bytes) -> None:
        """See ``ObjectStorage``."""
        try:
            self._obstore.put(self._store, key_of(digest), data)
        except self._errors as error:
            failed("write", digest, self._place(digest), error)

    def put_file(self, file: BinaryIO, start: int, codec: str) -> tuple[str, int]:
        """See ``ObjectStorage``."""
        file.seek(start)
        digest, size = measured(file, codec)
        place = self._place(digest)

        def changed() -> KitaruBackendError:
            return KitaruBackendError(f"The file that was to be stored at {place} changed while it was read.")

        file.seek(start)
        try:
            self._obstore.put(
                self._store,
                key_of(digest),
                unchanged(file, codec, digest, changed),
                use_multipart=True,
                chunk_size=16 * PIECE,
                max_concurrency=4,
            )
        except self._errors as error:
            failed("write", digest, place, error)
        return digest, size

    def open(self, digest: str, codec: str) -> BinaryIO:
        """See ``ObjectStorage``."""
        place = self._place(digest)
        try:
            source = self._obstore.get(self._store, key_of(digest)).stream(min_chunk_size=PIECE)
        except FileNotFoundError as error:
            raise missing(digest, place) from error
        except self._errors as error:
            failed("read", digest, place, error)
        return stream(map(bytes, source), digest, codec, place)

    def get(self, digest: str, codec: str) -> bytes:
        """See ``ObjectStorage``."""
        place = self._place(digest)
        try:
            data = self._obstore.get(self._store, key_of(digest)).bytes().to_bytes()
        except FileNotFoundError as error:
            raise missing(digest, place) from error
        except self._errors as error:
            failed("read", digest, place, error)
        return verified(digest, codec, data, place)

    def exists(self, digest: str) -> bool:
        """See ``ObjectStorage``."""
        try:
            self._obstore.head(self._store, key_of(digest))
        except FileNotFoundError:
            return False
        except self._errors as error:
            failed("look up", digest, self._place(digest), error)
        return True

    def delete(self, digest: str) -> None:
        """See ``ObjectStorage``."""
        try:
            self._obstore.delete(self._store, key_of(digest))
        except FileNotFoundError:
            return
        except self._errors as error:
            failed("delete", digest, self._place(digest), error)
