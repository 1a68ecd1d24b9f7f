"""What a replay takes from the execution that it repeats."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kitaru.store.protocol import JournalStore
from kitaru.store.records import CallKind, CallRecord, JsonDict, Payload, payload_from_json

Mode = Literal["before", "changed", "inputs"]
Effects = Literal["recorded", "ask", "live"]
Memory = Literal["as_of", "live"]


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """How a replay re-uses its original; kept in the execution's spec so that a resumed replay does the same.

    Attributes:
        original: the execution that is replayed.
        mode: ``before``: calls whose position is below ``cut`` answer from the record; ``changed``: every call whose
            code and inputs are what they were; ``inputs``: calls up to the first whose inputs differ.
        cut: the position of the first call that runs again.
        outputs: checkpoint name or call id -> the output to use instead (JSON form of a payload).
        answers: wait name or call id -> the answer to use instead.
        effects: what an effect does that would run again: answer from the ``recorded`` one where inputs are equal, else
            ask; always ``ask``; or run ``live``.
        memory: what reads of memory that run again see: the memory ``as_of`` the original, with the replay's own
            writes, which go to scopes of their own; or the ``live`` one, to which it writes too.
    """

    original: str
    mode: Mode
    cut: int | None = None
    outputs: dict[str, JsonDict] = field(default_factory=dict[str, JsonDict])
    answers: dict[str, JsonDict] = field(default_factory=dict[str, JsonDict])
    effects: Effects = "recorded"
    memory: Memory = "as_of"

    def to_json(self) -> JsonDict:
        """The form in the execution's spec."""
        return {
            "original": self.original,
            "mode": self.mode,
            "cut": self.cut,
            "outputs": self.outputs,
            "answers": self.answers,
            "effects": self.effects,
            "memory": self.memory,
        }

    @classmethod
    def from_json(cls, form: JsonDict) -> ReplayPlan:
        """The plan that ``to_json`` wrote."""
        return cls(
            form["original"],
            form["mode"],
            form["cut"],
            form["outputs"],
            form["answers"],
            form.get("effects", "recorded"),
            form.get("memory", "as_of"),
        )


def reused_info(record: CallRecord) -> JsonDict:
    """What is said of a call that another's record answers: what that one used up is saved this time."""
    info = dict(record.info or {})
    used = info.pop("usage", None) or info.get("saved")
    return {**info, "saved": used} if used else info


def same_inputs(recorded: JsonDict | None, given: JsonDict | None) -> str | None:
    """The first parameter whose value differs, or None. Opaque values (pickle) are not compared."""
    old, new = recorded or {}, given or {}
    for name in {**old, **new}:
        if name not in old or name not in new:
            return name
        if old[name]["d"] != new[name]["d"] and not (old[name].get("o") or new[name].get("o")):
            return name
    return None


class Reuse:
    """The original's journal, asked call by call which of its records stand for a replayed call."""

    def __init__(self, store: JournalStore, plan: ReplayPlan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._cut = plan.cut
        self._store = store
        self._records: dict[str, CallRecord] = {}
        after = 0
        while page := store.calls(plan.original, after_seq=after, data=False):
            after = page[-1].seq
            for record in page:
                self._records[record.call_id] = record

    def asks_before(self, call_id: str) -> bool:
        """True when a person must say whether to do this effect: unless the original is known not to have done it."""
        record = self._records.get(call_id)
        if self._plan.effects == "live":
            return False
        return record is None or record.status == "completed" or bool((record.error or {}).get("unknown"))

    def offer(
        self,
        call_id: str,
        kind: str,
        name: str,
        inputs: JsonDict | None,
        code: str | None,
        *,
        effect: bool = False,
    ) -> CallRecord | None:
        """The record that answers this call, as a new record to be committed under the replay; None: run it."""
        forced = self._override(call_id, kind, name)
        record = self._records.get(call_id)
        with self._lock:
            usable = record is not None and self._usable(record, kind, name, inputs, code)
            if record is not None and effect and not usable and self._plan.effects == "recorded":
                usable = record.status == "completed" and _same_call(record, kind, name, inputs)
            if record is None and self._plan.mode == "inputs":
                self._cut = -1
        if forced is not None:
            base = record or CallRecord(0, call_id, 0, kind, name, "completed")
            info: dict[str, Any] = {**(base.info or {}), "overridden": True}
            return replace(base, status="completed", output=forced, error=None, info=info)
        if not usable or record is None:
            return None
        output = record.output
        if output is not None and output.location == "inline":
            output = self._store.output(self._plan.original, call_id)
        info = {**reused_info(record), "cached_from": f"{self._plan.original}/{call_id}"}
        return replace(record, output=output, info=info)

    def _override(self, call_id: str, kind: str, name: str) -> Payload | None:
        table = self._plan.answers if kind == CallKind.WAIT else self._plan.outputs
        if kind not in (CallKind.WAIT, CallKind.CHECKPOINT):
            return None
        form = table.get(call_id) or table.get(name)
        return payload_from_json(form) if form else None

    def _usable(
        self, record: CallRecord, kind: str, name: str, inputs: JsonDict | None, code: str | None
    ) -> bool:
        same = _same_call(record, kind, name, inputs)
        if self._plan.mode == "changed":
            known = record.code_digest == code and (code is None or not code.startswith("?"))
            return same and known and record.status == "completed"
        if self._plan.mode == "inputs" and not same:
            self._cut = record.position if self._cut is None else min(self._cut, record.position)
        return same and (self._cut is None or record.position < self._cut)


def _same_call(record: CallRecord, kind: str, name: str, inputs: JsonDict | None) -> bool:
    return record.kind == kind and record.name == name and same_inputs(record.inputs, inputs) is None
