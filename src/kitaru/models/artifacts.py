"""Values that a run kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import PrivateAttr

from kitaru.models.base import Model


class ArtifactRef(Model):
    """A value that a run kept. ``.load()`` reads it.

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
    _loader: Callable[..., Any] | None = PrivateAttr(default=None)

    def load(self) -> Any:
        """The value.

        Raises:
            KitaruStateError: when this reference was not made by a client.
            KitaruBackendError: when its bytes are gone or damaged.
        """
        if self._loader is None:
            from kitaru.errors import KitaruStateError

            raise KitaruStateError(
                "This ArtifactRef has no client. Get it with KitaruClient().artifacts.get(id)."
            )
        return self._loader()
