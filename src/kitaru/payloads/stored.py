"""What all object storages share: the names of objects, their verification, and what is said when something fails."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Callable, Iterable
from typing import BinaryIO, NoReturn

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads.encoded import digest_of
from kitaru.payloads.streams import PIECE, Verified

_DIGEST = re.compile(r"[0-9a-f]{40}")
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


def key_of(digest: str) -> str:
    """Where an object stands below the storage's root."""
    if not _DIGEST.fullmatch(digest):
        raise KitaruUsageError(f"{digest!r} is no digest: 40 hexadecimal digits are.")
    return f"{digest[:2]}/{digest}"


def verified(digest: str, codec: str, data: bytes, place: str) -> bytes:
    """``data``, if it is what the digest names."""
    found = digest_of(codec, data)
    if found != digest:
        raise damaged(digest, place, len(data), found)
    return data


def damaged(digest: str, place: str, size: int, found: str) -> KitaruBackendError:
    """What stands there has another digest."""
    return KitaruBackendError(
        f"Object {digest} is damaged: {place} holds {size} bytes whose digest is {found}. {_NEXT}"
    )


def stream(
    source: Iterable[bytes], digest: str, codec: str, place: str, *, close: Callable[[], None] = lambda: None
) -> BinaryIO:
    """The bytes of ``source``, verified when their end is reached."""

    def broken(error: Exception) -> Exception:
        return failure("read", digest, place, error)

    raw = Verified(
        source, codec, digest, lambda size, found: damaged(digest, place, size, found), broken, close
    )
    return io.BufferedReader(raw, PIECE)


def missing(digest: str, place: str) -> KitaruBackendError:
    """Nothing stands there."""
    return KitaruBackendError(f"Object {digest} is missing: there is no {place}. {_NEXT}")


def failed(action: str, digest: str, place: str, error: Exception) -> NoReturn:
    """Raise ``failure`` from the error."""
    raise failure(action, digest, place, error) from error


def failure(action: str, digest: str, place: str, error: Exception) -> KitaruBackendError:
    """The storage could not do it; whether it may later is told from the error."""
    reason = str(error).partition("\n")[0]
    return KitaruBackendError(
        f"Could not {action} object {digest} at {place}: {reason}. "
        f"Check its space, permissions and connection, then: kitaru executions resume ID",
        transient=_may_pass(error),
    )


def _may_pass(error: Exception) -> bool:
    """False for a refusal: asking again would get the same answer."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno not in _REFUSALS
    return type(error).__name__ not in _CLOUD_REFUSALS
