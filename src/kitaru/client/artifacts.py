"""``client.artifacts``: what runs kept."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from itertools import islice

from kitaru.backend import Backend
from kitaru.client import mapping
from kitaru.client.bursts import one_burst
from kitaru.client.places import Place
from kitaru.errors import KitaruStateError
from kitaru.models import ArtifactDiff, ArtifactRef, Execution, Lineage
from kitaru.store.records import ArtifactRecord


class Artifacts:
    """Reads artifacts; values are loaded by ``ArtifactRef.load()`` alone."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def list(
        self,
        exec_id: str,
        name: str | None = None,
        kind: str | None = None,
        producing_call: str | None = None,
        limit: int | None = None,
    ) -> builtins.list[ArtifactRef]:
        """The artifacts of an execution, in the order of its calls; a call's return value before what it saved.

        Args:
            exec_id: the execution.
            name: a checkpoint's name, or one given to ``save``; never an input's.
            kind: ``input``, ``output``, or the ``type`` given to ``save``.
            producing_call: the id of the call that made them.
            limit: the most to return.

        Raises:
            KitaruStateError: for an unknown execution.
        """
        matching = (
            ref
            for ref in self._each(exec_id)
            if (name is None or (ref.name == name and ref.kind != "input"))
            and (kind is None or ref.kind == kind)
            and (producing_call is None or ref.producing_call == producing_call)
        )
        with one_burst():
            return builtins.list(islice(matching, limit))

    def get(self, artifact_id: str) -> ArtifactRef:
        """One artifact by its id.

        Raises:
            KitaruStateError: when there is none.
        """
        remembered = mapping.memory_artifact(self._backend, artifact_id)
        if remembered is not None:
            return remembered
        exec_id = artifact_id.partition("/")[0]
        execution = mapping.execution(self._backend, self._backend.store.execution(exec_id))
        place = Place.of(artifact_id)
        found = None if place is None else self._at(place, execution)
        if found is None:
            raise KitaruStateError(
                f"Execution {exec_id} has no artifact {artifact_id!r}. `kitaru artifacts list {exec_id}` lists them."
            )
        return found

    def _at(self, place: Place, execution: Execution) -> ArtifactRef | None:
        reads, exec_id = self._backend.store.reads, place.exec_id
        if not place.call_id:
            return execution.result if place.what == "result" else execution.inputs.get(place.name)
        if place.what == "saved":
            for item in reads.artifact_summaries(exec_id, place.call_id):
                if str(item.ordinal) == place.name:
                    return mapping.saved_artifact(self._backend, exec_id, item)
            return None
        for record in reads.call_summaries(exec_id, place.call_id):
            if place.what == "input":
                return mapping.inputs(self._backend, exec_id, record).get(place.name)
            return next(mapping.artifacts(self._backend, exec_id, record, []), None)
        return None

    def diff(self, a: str, b: str) -> ArtifactDiff:
        """Two artifacts by their ids: structures by their parts, text line by line, bytes by size and digest.

        Raises:
            KitaruStateError: when there is no such artifact.
            KitaruBackendError: when the bytes of one are gone or damaged.
        """
        from kitaru.client.comparing import compare_artifacts

        return compare_artifacts(self.get(a), self.get(b))

    def lineage(self, artifact_id: str, direction: str = "up", depth: int | None = None) -> Lineage:
        """What an artifact came from, or what came of it, across executions; no value is loaded.

        Args:
            artifact_id: as ``list`` shows it.
            direction: ``up``: what led to it; ``down``: what it led to.
            depth: the most edges to follow from it; None: all.

        Raises:
            KitaruStateError: when there is no such artifact.
            KitaruUsageError: for another direction, or a depth below 1.

        Example:
            >>> # found = client.artifacts.lineage("kr-0123456789abcdef/publish#1/output")
            >>> # {edge.via for edge in found.edges}
        """
        from kitaru.client.lineage import trace

        return trace(self._backend, artifact_id, direction, depth)

    def _each(self, exec_id: str) -> Iterator[ArtifactRef]:
        backend = self._backend
        execution = mapping.execution(backend, backend.store.execution(exec_id))
        yield from execution.inputs.values()
        saved: dict[str, builtins.list[ArtifactRecord]] = {}
        for item in backend.store.reads.artifact_summaries(exec_id):
            saved.setdefault(item.call_id, []).append(item)
        inner: dict[str, builtins.list[str]] = {}
        for subcall in backend.store.reads.subcalls(exec_id):
            inner.setdefault(subcall.call_id, []).append(subcall.child_id)
        for record in backend.store.reads.call_summaries(exec_id):
            yield from mapping.inputs(backend, exec_id, record).values()
            yield from mapping.artifacts(backend, exec_id, record, saved.get(record.call_id, []))
            for child_id in inner.get(record.call_id, []):
                for item in saved.get(child_id, []):
                    yield mapping.saved_artifact(backend, exec_id, item)
        if execution.result is not None:
            yield execution.result
