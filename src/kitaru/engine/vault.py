"""Values on their way into the store and back."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from kitaru.engine.patience import Patience
from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads import (
    BYTES_MEDIA_TYPE,
    Encoded,
    ObjectStorage,
    decode,
    decode_plain,
    encode,
    of_bytes,
    open_object_storage,
)
from kitaru.store.protocol import JournalStore
from kitaru.store.records import Blob, JsonDict, Payload, payload_to_json

OBJECT_BYTES = 64 * 1024
EMBEDDED_BYTES = 1024


class Vault:
    """Encodes values for one store and decodes them again, with object storage for what is large."""

    def __init__(self, store: JournalStore, objects_url: str, *, allow_pickle: bool = True) -> None:
        self._store = store
        self._objects_url = objects_url
        self.allow_pickle = allow_pickle

    def behind(self, patience: Patience) -> Vault:
        """This vault for one execution, which waits for storage that fails and stops at what is gone or damaged."""
        return _PatientVault(self, patience)

    @cached_property
    def _objects(self) -> ObjectStorage:
        return open_object_storage(self._objects_url)

    def encode(self, value: object) -> Encoded:
        """The value's bytes, digest and preview; raises ``KitaruUsageError`` when it cannot be encoded."""
        return encode(value, allow_pickle=self.allow_pickle)

    def keep(self, encoded: Encoded, *, inline: int = OBJECT_BYTES) -> tuple[Payload, list[Blob]]:
        """Where the bytes go: in the record up to ``inline`` bytes, beside it as a blob, or to object storage at once.

        What goes to object storage is durable when this returns; the blobs are to be committed with the record.
        """
        blobs: list[Blob] = []
        for part in encoded.parts:
            if len(part.data) >= OBJECT_BYTES:
                self._objects.put(part.digest, part.data)
            else:
                blobs.append(Blob(part.digest, part.data))
        payload = Payload(
            encoded.digest,
            encoded.codec,
            encoded.size,
            encoded.type,
            encoded.media_type,
            encoded.data,
            encoded.preview,
        )
        if len(encoded.data) >= OBJECT_BYTES:
            self._objects.put(encoded.digest, encoded.data)
            payload.data, payload.location = None, "object"
        elif len(encoded.data) > inline:
            blobs.append(Blob(encoded.digest, encoded.data))
            payload.data, payload.location = None, "blob"
        return payload, blobs

    def put(self, value: object, *, inline: int = OBJECT_BYTES) -> tuple[Payload, list[Blob]]:
        """``encode`` and ``keep`` in one."""
        return self.keep(self.encode(value), inline=inline)

    def put_file(self, file: BinaryIO) -> tuple[Payload, list[Blob]]:
        """Keep what is left of an open binary file as ``bytes``, in bounded memory.

        Raises:
            KitaruUsageError: it is not open for reading bytes.
        """
        if isinstance(file, io.TextIOBase) or not file.readable():
            raise KitaruUsageError(f"{file!r} cannot be read as bytes: open it with open(path, 'rb').")
        with ExitStack() as stack:
            if not file.seekable():
                # Read more than once: to name it by its digest, and again when the storage had to be waited for.
                spool = stack.enter_context(TemporaryFile())
                copyfileobj(file, spool)
                spool.seek(0)
                file = spool
            start = file.tell()
            head = b"".join(iter(lambda: file.read(OBJECT_BYTES - file.tell() + start), b""))
            if len(head) < OBJECT_BYTES:
                return self.put(head)
            digest, size = self._objects.put_file(file, start, "bytes")
        preview = of_bytes(head, size - len(head))
        return Payload(digest, "bytes", size, "bytes", BYTES_MEDIA_TYPE, None, preview, "object"), []

    def open(self, payload: Payload) -> BinaryIO:
        """The bytes of a value of bytes or text, to be read from its beginning to its end in bounded memory.

        Raises:
            KitaruUsageError: it is something else.
            KitaruBackendError: as ``get``; while reading, when the end is reached and the bytes are damaged.
        """
        if payload.codec == "bytes" and payload.data is None and payload.location == "object":
            return self._objects.open(payload.digest, payload.codec)
        value = None if payload.codec == "pickle" else self.get_plain(payload)
        if isinstance(value, str):
            value = value.encode()
        if not isinstance(value, bytes):
            raise KitaruUsageError(
                f"This value is a {payload.type}, neither bytes nor text: load() gives it."
            )
        return io.BytesIO(value)

    def put_json(self, value: object) -> tuple[JsonDict, list[Blob]]:
        """A value in the JSON form that stands in a record among others: only small ones are embedded."""
        payload, blobs = self.put(value, inline=EMBEDDED_BYTES)
        return payload_to_json(payload), blobs

    def get(self, payload: Payload) -> Any:
        """The value. Raises ``KitaruBackendError`` when its bytes are gone or damaged."""
        return decode(payload.codec, self.data(payload), fetch=self._fetch, allow_pickle=self.allow_pickle)

    def get_plain(self, payload: Payload) -> Any:
        """The value as plain data, without its classes. Raises as ``get``, and ``KitaruUsageError`` for a pickle."""
        return decode_plain(payload.codec, self.data(payload), fetch=self._fetch)

    def decode_encoded(self, encoded: Encoded) -> Any:
        """A copy of a value that was just encoded: what the store would give back."""
        parts = {part.digest: part.data for part in encoded.parts}
        return decode(
            encoded.codec,
            encoded.data,
            fetch=lambda digests: {d: parts[d] for d in digests},
            allow_pickle=self.allow_pickle,
        )

    def data(self, payload: Payload) -> bytes:
        """The encoded bytes, wherever they are."""
        if payload.data is not None:
            return payload.data
        if payload.location == "blob":
            found = self._store.blobs([payload.digest]).get(payload.digest)
            if found is None:
                raise KitaruBackendError(
                    f"The database has no bytes for digest {payload.digest} ({payload.type}, {payload.size} bytes). "
                    "Restore the database from a backup, or run `kitaru executions replay` from an earlier checkpoint."
                )
            return found
        return self._objects.get(payload.digest, payload.codec)

    def _fetch(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        found = self._store.blobs(digests)
        for digest in digests:
            if digest not in found:
                found[digest] = self._objects.get(digest, "part")
        return found


class _PatientVault(Vault):
    def __init__(self, origin: Vault, patience: Patience) -> None:
        super().__init__(
            patience.before(origin._store), origin._objects_url, allow_pickle=origin.allow_pickle
        )
        self._origin = origin
        self._patience = patience

    @cached_property
    def _objects(self) -> ObjectStorage:
        return self._patience.before(self._origin._objects)

    def get(self, payload: Payload) -> Any:
        return self._patience.call(super().get, payload)
