"""Values that a run kept."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO, Protocol
from uuid import uuid4

from pydantic import PrivateAttr

from kitaru.models.base import Model


class ArtifactLoader(Protocol):
    """What reads the value: models know no store."""

    def __call__(self, *, plain: bool = False) -> Any:
        """The value."""
        ...

    def open(self) -> BinaryIO:
        """Its bytes."""
        ...


class ArtifactRef(Model):
    """A value that a run kept. ``.load()`` reads it; ``.open()`` and ``.download()`` what is larger than memory.

    Attributes:
        kind: what it is: ``input``, ``output``, or the ``type`` that ``save`` was given.
        type: the Python type's name.
        digest: equal values have equal digests.
        size: bytes.
        producing_call: the call that made it; None for a flow's input.
        preview: the first 2 KiB as text.
    """

    artifact_id: str
    name: str
    kind: str
    type: str
    digest: str
    size: int
    media_type: str
    producing_call: str | None
    exec_id: str
    preview: str | None = None
    tags: list[str] = []
    _loader: ArtifactLoader | None = PrivateAttr(default=None)

    def _reader(self) -> ArtifactLoader:
        if self._loader is None:
            from kitaru.errors import KitaruStateError

            raise KitaruStateError(
                "This ArtifactRef has no client. Get it with KitaruClient().artifacts.get(id)."
            )
        return self._loader

    def load(self, *, plain: bool = False) -> Any:
        """The value; ``plain``: as dicts, lists and scalars, without the classes of who wrote it.

        Raises:
            KitaruStateError: when this reference was not made by a client.
            KitaruBackendError: when its bytes are gone or damaged.
            KitaruUsageError: it is a pickle, and ``plain`` or the settings allow none.
        """
        return self._reader()(plain=plain)

    def open(self) -> BinaryIO:
        """A value of bytes, or of text in UTF-8, as a file that is read from its beginning to its end.

        What is larger than memory is never held as a whole. The read that reaches the end verifies it.

        Raises:
            KitaruUsageError: it is neither bytes nor text.
            KitaruStateError: as ``load``.
            KitaruBackendError: as ``load``; for damaged bytes by the last read.

        Example:
            >>> # with ref.open() as file: shutil.copyfileobj(file, target)
        """
        return self._reader().open()

    def download(self, path: str | os.PathLike[str]) -> None:
        """Write a value of bytes or text to a file, which is whole and verified, or not there.

        A file of that name is replaced.

        Raises:
            OSError: it cannot be written there.
            KitaruUsageError, KitaruStateError, KitaruBackendError: as ``open``.

        Example:
            >>> # client.artifacts.get("kr-0123456789abcdef/record#1/saved/1").download("recording.mp4")
        """
        target = Path(path)
        aside = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
        try:
            with self.open() as source, aside.open("xb") as file:
                copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
