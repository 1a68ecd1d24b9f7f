"""``save`` and ``load``: named values inside a checkpoint; ``log`` and ``progress``: what is said about it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, BinaryIO, cast

from kitaru.engine.scope import CheckpointScope, FlowScope, current_scope
from kitaru.errors import KitaruContextError, KitaruStateError, KitaruUsageError
from kitaru.store.records import ArtifactRecord, CallKind, LinkRecord, Payload

__all__ = ["ARTIFACT_TYPES", "load", "log", "progress", "save"]

ARTIFACT_TYPES = ("prompt", "response", "context", "input", "output", "blob")


def _checkpoint_scope(what: str, instead: str) -> CheckpointScope:
    scope = current_scope.get()
    if isinstance(scope, CheckpointScope):
        return scope
    place = "in a flow's body" if isinstance(scope, FlowScope) else "outside a flow"
    raise KitaruContextError(f"{what} was called {place}. Call it inside a checkpoint; {instead}")


def save(name: str, value: Any, type: str = "output", tags: Iterable[str] | None = None) -> None:
    """Keep a value under a name, committed together with the checkpoint's outcome.

    Args:
        name: the artifact's name.
        value: any value that a checkpoint may return, or a file that is open for reading bytes: what is left of it is
            kept as ``bytes``, and may be larger than memory.
        type: ``prompt``, ``response``, ``context``, ``input``, ``output`` or ``blob``.
        tags: free labels.

    Raises:
        KitaruContextError: outside a checkpoint.
        KitaruUsageError: for an unknown type, or a value that cannot be stored.

    Example:
        >>> # in a checkpoint: kitaru.save("draft", text, type="response", tags=["v1"])
        >>> # with open("recording.mp4", "rb") as file: kitaru.save("recording", file, type="blob")
    """
    scope = _checkpoint_scope("save()", "a checkpoint's return value is kept without it.")
    if type not in ARTIFACT_TYPES:
        raise KitaruUsageError(f"save(type={type!r}): there are {', '.join(ARTIFACT_TYPES)}.")
    vault = scope.run.vault
    payload, blobs = vault.put_file(cast("BinaryIO", value)) if _is_file(value) else vault.put(value)
    scope.blobs.extend(blobs)
    ordinal = len(scope.artifacts) + 1
    scope.artifacts.append(ArtifactRecord(scope.call_id, ordinal, name, type, payload, list(tags or ())))


def _is_file(value: Any) -> bool:
    # Wrappers of temporary files are no ``IOBase``.
    return isinstance(value, io.IOBase) or all(
        hasattr(value, name) for name in ("read", "readable", "seekable")
    )


def load(exec_id: str, name: str) -> Any:
    """A value of any execution: saved under ``name``, or the output of the checkpoint of that name.

    Raises:
        KitaruContextError: outside a checkpoint.
        KitaruStateError: when there is none, or more than one, or no such execution.

    Example:
        >>> # in a checkpoint: draft = kitaru.load("kr-0123456789abcdef", "draft")
    """
    scope = _checkpoint_scope(
        "load()", "elsewhere use KitaruClient().artifacts.list(exec_id, name=…)[0].load()."
    )
    store = scope.run.store
    store.status(exec_id)
    found: list[tuple[str, str, Callable[[], Payload | None]]] = [
        (
            f"{a.call_id}:{a.name}",
            f"{exec_id}/{a.call_id}/saved/{a.ordinal}",
            partial(store.saved, exec_id, a.call_id, a.ordinal),
        )
        for a in store.reads.artifact_summaries(exec_id)
        if a.name == name
    ]
    found += [
        (c.call_id, f"{exec_id}/{c.call_id}/output", partial(store.output, exec_id, c.call_id))
        for c in store.reads.call_summaries(exec_id)
        if c.kind == CallKind.CHECKPOINT and c.name == name and c.status == "completed" and c.output
    ]
    if len(found) == 1:
        _, source, read = found[0]
        payload = read()
        assert payload is not None
        scope.links[source] = LinkRecord(scope.call_id, "load", exec_id, source)
        return scope.run.vault.get(payload)
    if not found:
        raise KitaruStateError(
            f"Execution {exec_id} has no artifact {name!r}. See `kitaru executions get {exec_id}` for what it has."
        )
    raise KitaruStateError(
        f"Execution {exec_id} has {len(found)} artifacts named {name!r}: {', '.join(where for where, _, _ in found)}. "
        "Save it under a name of its own to load it."
    )


def log(**metadata: Any) -> None:
    """Attach metadata to the current checkpoint; in a flow's body, to the execution. Dicts merge key by key.

    Raises:
        KitaruContextError: outside a flow.
        KitaruUsageError: when a value is not JSON.

    Example:
        >>> # in a checkpoint: kitaru.log(tokens=812, scores={"style": 0.9})
    """
    from pydantic_core import PydanticSerializationError, from_json, to_json

    try:
        plain: dict[str, Any] = from_json(to_json(metadata))
    except (PydanticSerializationError, ValueError) as error:
        raise KitaruUsageError(f"log() takes values that JSON can say: {error}") from error
    scope = current_scope.get()
    if isinstance(scope, CheckpointScope):
        merge(scope.metadata, plain)
    elif isinstance(scope, FlowScope):
        run = scope.run
        run.check_thread()
        run.instant(run.issue(scope.branch, CallKind.LOG, "log"), lambda: None, plain)
    else:
        raise KitaruContextError(
            "log() was called outside a flow. Call it in a flow's body or in a checkpoint."
        )


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Merge key by key; dicts merge, everything else is replaced."""
    for key, value in more.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merge(cast("dict[str, Any]", old), cast("dict[str, Any]", value))
        else:
            into[key] = value


def progress(done: float, total: float | None = None, message: str | None = None) -> None:
    """Say how far a checkpoint is; shown live, not kept.

    Raises:
        KitaruContextError: outside a checkpoint.

    Example:
        >>> # in a checkpoint: kitaru.progress(3, total=10, message="pages read")
    """
    scope = _checkpoint_scope("progress()", "in a flow's body the calls themselves are the progress.")
    form: dict[str, object] = {"done": done, "total": total, "message": message}
    scope.run.runner.progress(scope.run.exec_id, scope.call_id, form)
