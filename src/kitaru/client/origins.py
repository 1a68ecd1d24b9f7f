"""One execution's part of the lineage, read from its journal without any value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from kitaru.backend import Backend
from kitaru.client import mapping
from kitaru.client.places import Place
from kitaru.models import ArtifactRef, LineageEdge
from kitaru.payloads import decode
from kitaru.store.memory_records import VersionRecord
from kitaru.store.memory_upkeep import source_of
from kitaru.store.records import ArtifactRecord, CallKind, CallRecord, ExecutionRecord, JsonDict, WaitKind

SMALLEST = 64
"""Equal values of up to so many bytes may be equal by chance."""


def memory_edge(version: VersionRecord) -> LineageEdge:
    """From what a flow's call set to the version of memory that came of it."""
    return LineageEdge(
        source=f"{version.exec_id}/{version.call_id}/input/value",
        target=source_of(version.scope, version.key, version.version),
        kind="memory",
        inferred=False,
        via=version.call_id,
    )


class Origins:
    """What leads to the artifacts of one execution."""

    def __init__(self, backend: Backend, row: ExecutionRecord) -> None:
        self._backend = backend
        self.row = row
        self.exec_id = row.exec_id

    @cached_property
    def calls(self) -> dict[str, CallRecord]:
        """By call id, in the order in which the flow made them."""
        return {call.call_id: call for call in self._backend.store.reads.call_summaries(self.exec_id)}

    @cached_property
    def _saved(self) -> dict[str, list[ArtifactRecord]]:
        found: dict[str, list[ArtifactRecord]] = {}
        for item in self._backend.store.reads.artifact_summaries(self.exec_id):
            found.setdefault(self._owner(item.call_id), []).append(item)
        return found

    def _owner(self, call_id: str) -> str:
        """The call under which a value was kept, by the call itself or by a model or tool call that it made."""
        while call_id and call_id not in self.calls:
            call_id = call_id.rpartition("/")[0]
        return call_id

    @cached_property
    def _links(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for link in self._backend.store.reads.links_from(self.exec_id):
            found.setdefault(link.call_id, []).append((link.kind, link.source))
        return found

    @cached_property
    def _children(self) -> dict[str, str]:
        """Calls that wait for a child's result -> the child."""
        waits = self._backend.store.waits(self.exec_id)
        return {w.call_id: w.child_exec_id for w in waits if w.kind == WaitKind.CHILD and w.child_exec_id}

    def started(self) -> list[str]:
        """The children of this execution."""
        calls = [call for call in self.calls.values() if call.kind == CallKind.CHILD]
        return [decode(c.output.codec, c.output.data) for c in calls if c.output and c.output.data]

    def ref(self, artifact_id: str) -> ArtifactRef | None:
        """The artifact of this id; None when there is none."""
        place = Place.of(artifact_id)
        if place is None:
            return None
        if not place.call_id:
            execution = mapping.execution(self._backend, self.row)
            return execution.result if place.what == "result" else execution.inputs.get(place.name)
        if place.what == "saved":
            for item in self._saved.get(self._owner(place.call_id), []):
                if item.call_id == place.call_id and str(item.ordinal) == place.name:
                    return mapping.saved_artifact(self._backend, self.exec_id, item)
            return None
        record = self.calls.get(place.call_id)
        if record is None:
            return None
        call = mapping.call(self._backend, self.exec_id, record, [], [])
        if place.what == "input":
            return call.inputs.get(place.name)
        return call.artifacts[0] if call.artifacts else None

    def into(self, artifact_id: str, *, original_gone: bool = False) -> list[LineageEdge]:
        """The edges that lead to an artifact of this execution.

        ``original_gone``: what a re-used call was taken from was deleted, so that its own inputs have to do.
        """
        place = Place.of(artifact_id)
        if place is None:
            return []
        if place.what == "result":
            found = self._into_result()
        elif not place.call_id:
            found = self._into_flow_input(place.name)
        elif place.what == "input":
            found = self._into_input(self.calls[place.call_id], place.name)
        else:
            found = self._into_outcome(self.calls[self._owner(place.call_id)], place, original_gone)
        edges = [
            LineageEdge(source=source, target=artifact_id, kind=kind, inferred=inferred, via=via)
            for source, kind, inferred, via in found
        ]
        return list({edge.source: edge for edge in reversed(edges)}.values())[::-1]

    def every_edge(self) -> Iterator[LineageEdge]:
        """All edges that lead to artifacts of this execution."""
        for name in self.row.inputs:
            yield from self.into(f"{self.exec_id}//input/{name}")
        for call in self.calls.values():
            where = f"{self.exec_id}/{call.call_id}"
            for name in call.inputs or {}:
                yield from self.into(f"{where}/input/{name}")
            if call.output is not None:
                yield from self.into(f"{where}/output")
            for item in self._saved.get(call.call_id, []):
                yield from self.into(f"{self.exec_id}/{item.call_id}/saved/{item.ordinal}")
        yield from self.into(f"{self.exec_id}//result")
        for version in self._backend.store.memory.written_by(self.exec_id):
            yield memory_edge(version)

    def _output(self, source: str) -> str:
        """The artifact that a name in the journal stands for: a call's output, or ``input:topic``."""
        _, is_input, parameter = source.partition("input:")
        return f"{self.exec_id}//input/{parameter}" if is_input else f"{self.exec_id}/{source}/output"

    def _digest(self, source: str) -> str | None:
        _, is_input, parameter = source.partition("input:")
        if is_input:
            form: JsonDict = self.row.inputs.get(parameter) or {}
            return form.get("d")
        record = self.calls.get(source)
        return record.output.digest if record and record.output else None

    def _into_input(self, call: CallRecord, parameter: str) -> list[tuple[str, str, bool, str | None]]:
        form: JsonDict = (call.inputs or {}).get(parameter) or {}
        found: list[tuple[str, str, bool, str | None]] = []
        for source in (*form.get("f", ()), *form.get("e", ())):
            kind = "argument" if self._digest(source) == form["d"] else "part"
            found.append((self._output(source), kind, False, call.call_id))
        found += [(self._output(source), "derived", True, call.call_id) for source in form.get("i", ())]
        return found

    def _into_flow_input(self, parameter: str) -> list[tuple[str, str, bool, str | None]]:
        row = self.row
        if row.original_exec_id is not None:
            # An input that was changed for the replay came from nowhere.
            original = mapping.known_execution(self._backend, row.original_exec_id)
            old: JsonDict = (original.inputs.get(parameter) if original else None) or {}
            same = original is None or old.get("d") == row.inputs[parameter].get("d")
            return [(f"{row.original_exec_id}//input/{parameter}", "replay", False, None)] if same else []
        if row.parent_exec_id is not None:
            where = f"{row.parent_exec_id}/{row.parent_call_id}/input/{parameter}"
            return [(where, "child", False, row.parent_call_id)]
        return []

    def _into_outcome(
        self, call: CallRecord, place: Place, original_gone: bool
    ) -> list[tuple[str, str, bool, str | None]]:
        where, via = f"{self.exec_id}/{call.call_id}", call.call_id
        info: JsonDict = call.info or {}
        taken: str | None = info.get("cached_from")
        if info.get("overridden") and place.what == "output":
            return []
        found: list[tuple[str, str, bool, str | None]] = []
        if taken is not None and place.what == "output":
            cached = any(kind == "cache" for kind, _ in self._links.get(call.call_id, []))
            found.append((f"{taken}/output", "cache" if cached else "replay", False, via))
            if not original_gone:
                return found
        if call.call_id in self._children:
            return [(f"{self._children[call.call_id]}//result", "child", False, via)]
        found += [(f"{where}/input/{name}", "call", False, via) for name in call.inputs or {}]
        found += [(self._output(source), "condition", True, via) for source in info.get("if", ())]
        found += [
            (s, kind, False, via)
            for kind, s in self._links.get(call.call_id, [])
            if kind in ("load", "memory")
        ]
        return found

    def _into_result(self) -> list[tuple[str, str, bool, str | None]]:
        result = self.row.result
        if result is None:
            return []
        equal = self._by_digest.get(result.digest) if result.size > SMALLEST else None
        if equal is not None:
            return [(self._output(equal), "result", False, None)]
        return [(source, kind, kind == "derived", None) for kind, source in self._links.get("", [])]

    @cached_property
    def _by_digest(self) -> dict[str, str]:
        """The last call, or else the flow's input, with each value."""
        found: dict[str, Any] = {form["d"]: f"input:{name}" for name, form in self.row.inputs.items()}
        return found | {call.output.digest: call.call_id for call in self.calls.values() if call.output}
