"""Object storage for large values: a local folder, S3, Google Cloud Storage or Azure behind one URL.

An object is named by the digest of its content, stands below a folder of the digest's first two characters,
and never changes. ``get`` verifies what it read against that digest.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from kitaru.errors import KitaruUsageError
from kitaru.payloads.bucket import Bucket
from kitaru.payloads.folder import Folder

_REMOTE = frozenset({"s3", "gs", "az", "memory"})


class ObjectStorage(Protocol):
    """Where large values are kept. Safe to use from many threads and processes at once."""

    def put(self, digest: str, data: bytes) -> None:
        """Store ``data``. When this returns, it survives a power loss. Storing it again changes nothing.

        Raises:
            KitaruBackendError: the storage refused or failed; nothing stands under the digest half written.
        """
        ...

    def get(self, digest: str, codec: str) -> bytes:
        """The object, verified to be what ``digest`` names under ``codec``.

        Raises:
            KitaruBackendError: it is missing, damaged, or the storage failed.
        """
        ...

    def put_file(self, file: BinaryIO, start: int, codec: str) -> tuple[str, int]:
        """Store what a file holds from byte ``start`` on, in bounded memory; its digest under ``codec``, and its size.

        Otherwise as ``put``. The file is read more than once, and must be seekable.

        Raises:
            KitaruBackendError: the storage refused or failed, or the file changed on the way.
        """
        ...

    def open(self, digest: str, codec: str) -> BinaryIO:
        """The object, to be read from its beginning to its end; verified when that is reached.

        Raises:
            KitaruBackendError: it is missing, or the storage failed; while reading, also: it is damaged.
        """
        ...

    def exists(self, digest: str) -> bool:
        """Whether the object is there; its content is not looked at.

        Raises:
            KitaruBackendError: the storage failed.
        """
        ...

    def delete(self, digest: str) -> None:
        """Remove the object; one that is not there is no error.

        Raises:
            KitaruBackendError: the storage failed.
        """
        ...


def open_object_storage(url: str) -> ObjectStorage:
    """The object storage at ``url``: a path, ``file://``, ``s3://bucket/prefix``, ``gs://…``, ``az://…``, ``memory://``.

    Credentials of the clouds come from their usual environment variables.

    Raises:
        KitaruUsageError: the URL says no storage that exists.

    Example:
        >>> from kitaru.payloads import digest_of
        >>> storage = open_object_storage("memory://")
        >>> digest = digest_of("bytes", b"a report")
        >>> storage.put(digest, b"a report")
        >>> storage.get(digest, "bytes")
        b'a report'
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return Folder(Path(url).expanduser().absolute())
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise KitaruUsageError(f"{url!r} names the host {parts.netloc!r}: a folder is file:///its/path.")
        return Folder(Path(unquote(parts.path)))
    if scheme in _REMOTE:
        return Bucket(url)
    raise KitaruUsageError(
        f"{url!r} is no object storage. Use a path, file:///path, s3://bucket/prefix, gs://bucket/prefix, "
        f"az://container/prefix or memory://."
    )
