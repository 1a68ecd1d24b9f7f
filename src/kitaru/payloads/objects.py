"""Object storage for large values: a local folder, S3, Google Cloud Storage or Azure behind one URL.

An object is named by the digest of its content, stands below a folder of the digest's first two characters,
and never changes. ``get`` verifies what it read against that digest.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads.encoded import digest_of

_DIGEST = re.compile(r"[0-9a-f]{40}")
_REMOTE = frozenset({"s3", "gs", "az", "memory"})
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
)
_CLOUD_REFUSALS = frozenset(
    {
        "FileNotFoundError",
        "InvalidPathError",
        "NotFoundError",
        "NotSupportedError",
        "PermissionDeniedError",
        "PermissionError",
        "UnauthenticatedError",
    }
)
_NEXT = (
    "Restore it from a backup, or make the value again by replaying the execution from the call that "
    "returned it: kitaru executions replay ID --from CALL"
)


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
        >>> storage = open_object_storage("memory://")
        >>> digest = digest_of("bytes", b"a report")
        >>> storage.put(digest, b"a report")
        >>> storage.get(digest, "bytes")
        b'a report'
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return _Folder(Path(url).expanduser().absolute())
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise KitaruUsageError(f"{url!r} names the host {parts.netloc!r}: a folder is file:///its/path.")
        return _Folder(Path(unquote(parts.path)))
    if scheme in _REMOTE:
        return _Bucket(url)
    raise KitaruUsageError(
        f"{url!r} is no object storage. Use a path, file:///path, s3://bucket/prefix, gs://bucket/prefix, "
        f"az://container/prefix or memory://."
    )


def _key(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise KitaruUsageError(f"{digest!r} is no digest: 40 hexadecimal digits are.")
    return f"{digest[:2]}/{digest}"


def _verified(digest: str, codec: str, data: bytes, place: str) -> bytes:
    found = digest_of(codec, data)
    if found != digest:
        raise KitaruBackendError(
            f"Object {digest} is damaged: {place} holds {len(data)} bytes whose digest is {found}. {_NEXT}"
        )
    return data


def _missing(digest: str, place: str) -> KitaruBackendError:
    return KitaruBackendError(f"Object {digest} is missing: there is no {place}. {_NEXT}")


def _failed(action: str, digest: str, place: str, error: Exception) -> NoReturn:
    reason = str(error).partition("\n")[0]
    raise KitaruBackendError(
        f"Could not {action} object {digest} at {place}: {reason}. "
        f"Check its space, permissions and connection, then: kitaru executions resume ID",
        transient=_may_pass(error),
    ) from error


def _may_pass(error: Exception) -> bool:
    """False for a refusal: asking again would get the same answer."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno not in _REFUSALS
    return type(error).__name__ not in _CLOUD_REFUSALS


class _Folder:
    """A local folder. Written aside, synced, renamed, the folder synced: an object is whole or absent."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, digest: str, data: bytes) -> None:
        path = self._root / _key(digest)
        try:
            self._make(path.parent)
            if not (path.is_file() and path.stat().st_size == len(data)):
                self._write(path, data)
            # Also for an object that another process wrote: its rename may not be on the disk yet.
            _sync_folder(path.parent)
        except OSError as error:
            _failed("write", digest, str(path), error)

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

    def _make(self, folder: Path) -> None:
        """Create ``folder`` and what is above it; each new one is synced into its parent."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    def get(self, digest: str, codec: str) -> bytes:
        path = self._root / _key(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise _missing(digest, f"file {path}") from error
        except OSError as error:
            _failed("read", digest, str(path), error)
        return _verified(digest, codec, data, str(path))

    def exists(self, digest: str) -> bool:
        path = self._root / _key(digest)
        try:
            path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            _failed("look up", digest, str(path), error)
        return True

    def delete(self, digest: str) -> None:
        path = self._root / _key(digest)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _failed("delete", digest, str(path), error)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Bucket:
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
        return f"{self._url}/{_key(digest)}"

    def put(self, digest: str, data: bytes) -> None:
        try:
            self._obstore.put(self._store, _key(digest), data)
        except self._errors as error:
            _failed("write", digest, self._place(digest), error)

    def get(self, digest: str, codec: str) -> bytes:
        place = self._place(digest)
        try:
            data = self._obstore.get(self._store, _key(digest)).bytes().to_bytes()
        except FileNotFoundError as error:
            raise _missing(digest, place) from error
        except self._errors as error:
            _failed("read", digest, place, error)
        return _verified(digest, codec, data, place)

    def exists(self, digest: str) -> bool:
        try:
            self._obstore.head(self._store, _key(digest))
        except FileNotFoundError:
            return False
        except self._errors as error:
            _failed("look up", digest, self._place(digest), error)
        return True

    def delete(self, digest: str) -> None:
        try:
            self._obstore.delete(self._store, _key(digest))
        except FileNotFoundError:
            return
        except self._errors as error:
            _failed("delete", digest, self._place(digest), error)
