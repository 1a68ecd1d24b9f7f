"""One execution's journal as its runner sees it: what is recorded, and what comes next."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from kitaru.engine.origins import Origins
from kitaru.engine.replay import Reuse
from kitaru.redaction import redactor
from kitaru.store.protocol import JournalStore
from kitaru.store.records import (
    Append,
    ArtifactRecord,
    AttemptRecord,
    Blob,
    CallRecord,
    IntentRecord,
    JsonDict,
    LinkRecord,
    SubcallRecord,
    WaitRecord,
)

PAGE = 1000


class Journal:
    """Answers recorded calls, streaming the records page by page, and appends new ones under the lease's epoch."""

    def __init__(
        self,
        store: JournalStore,
        exec_id: str,
        epoch: int,
        reuse: Reuse | None = None,
        *,
        fresh: bool = False,
        inputs: JsonDict | None = None,
    ) -> None:
        self._store = store
        self._reuse = reuse
        self._lock = threading.Lock()
        self._loaded: dict[str, CallRecord] = {}
        self._last_seq = 0
        self._complete = fresh
        self.fresh = fresh
        self.exec_id = exec_id
        self.epoch = epoch
        self.attempts: dict[str, int] = {}
        self._intents: dict[str, int] = {}
        self._unknown: set[str] = set()
        if not self._complete:
            for attempt in store.attempts(exec_id):
                self.note_attempt(attempt)
            for intent in store.intents(exec_id):
                self._intents[intent.call_id] = intent.attempt
        self._subcalls = {} if fresh else store.subcall_numbers(exec_id)
        self.origins = Origins(inputs or {})

    def find(self, call_id: str) -> CallRecord | None:
        """The record of this call, taken out: each is asked for once."""
        with self._lock:
            while call_id not in self._loaded and not self._complete:
                self._load_page()
            record = self._loaded.pop(call_id, None)
            if record is not None:
                self.remember_source(record)
            return record

    def note_attempt(self, attempt: AttemptRecord) -> None:
        """Know of a failed attempt; they come in order."""
        self.attempts[attempt.call_id] = attempt.attempt
        if attempt.error.get("unknown"):
            self._unknown.add(attempt.call_id)
        else:
            self._unknown.discard(attempt.call_id)

    def next_subcall(self, call_id: str) -> int:
        """A number for a model or tool call of this call that none of its attempts, in whatever process, has had."""
        with self._lock:
            number = self._subcalls[call_id] = self._subcalls.get(call_id, 0) + 1
            return number

    def doubtful_attempt(self, call_id: str) -> int | None:
        """The attempt of an effect that started and of which nobody knows whether it happened."""
        intended = self._intents.get(call_id, 0)
        ended = self.attempts.get(call_id, 0)
        if intended > ended or (intended and intended == ended and call_id in self._unknown):
            return intended
        return None

    def asks_before(self, call_id: str) -> bool:
        """True when a replay must ask before it does this effect."""
        return self._reuse is not None and self._reuse.asks_before(call_id)

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
        """In a replay, the original's record that stands for this call, if any."""
        if self._reuse is None:
            return None
        return self._reuse.offer(call_id, kind, name, inputs, code, effect=effect)

    @property
    def replays(self) -> bool:
        """True when the execution repeats another one."""
        return self._reuse is not None

    def _load_page(self) -> None:
        page = self._store.calls(self.exec_id, after_seq=self._last_seq, limit=PAGE)
        for record in page:
            self._loaded[record.call_id] = record
        if page:
            self._last_seq = page[-1].seq
        self._complete = len(page) < PAGE

    def remaining(self) -> list[str]:
        """The recorded calls that nobody has asked for."""
        with self._lock:
            while not self._complete:
                self._load_page()
            return [
                record.call_id for record in sorted(self._loaded.values(), key=lambda record: record.position)
            ]

    def remember_source(self, record: CallRecord) -> None:
        """From now on an input with this output's digest is known to come from this call."""
        output = record.output
        if output is not None:
            self.origins.add(record.call_id, output.digest, output.size, output.type)

    def next_seq(self) -> int:
        """A sequence number for a call that is committed by other means than ``append``."""
        with self._lock:
            while not self._complete:
                self._load_page()
            self._last_seq += 1
            return self._last_seq

    def append(
        self,
        calls: Sequence[CallRecord] = (),
        *,
        attempts: Sequence[AttemptRecord] = (),
        artifacts: Sequence[ArtifactRecord] = (),
        blobs: Sequence[Blob] = (),
        waits: Sequence[WaitRecord] = (),
        intents: Sequence[IntentRecord] = (),
        subcalls: Sequence[SubcallRecord] = (),
        links: Sequence[LinkRecord] = (),
        metadata: JsonDict | None = None,
    ) -> None:
        """Commit; the calls get the next sequence numbers. Raises ``Fenced`` or ``KitaruBackendError``."""
        with self._lock:
            while not self._complete:
                self._load_page()
            if redactor:
                _redact(calls, waits, subcalls)
                metadata = redactor.anything(metadata)
            for record in calls:
                self._last_seq += 1
                record.seq = self._last_seq
                self.remember_source(record)
        self._store.append(
            Append(
                self.exec_id,
                self.epoch,
                calls,
                attempts,
                artifacts,
                blobs,
                waits,
                intents,
                subcalls,
                links,
                metadata,
            )
        )


def _redact(
    calls: Sequence[CallRecord], waits: Sequence[WaitRecord], subcalls: Sequence[SubcallRecord]
) -> None:
    """What people say beside the values. Previews and errors were redacted when they were made."""
    for record in (*calls, *subcalls):
        record.info = redactor.anything(record.info)
    for wait in waits:
        wait.question = redactor.anything(wait.question)
        wait.schema = redactor.anything(wait.schema)
        wait.metadata = redactor.anything(wait.metadata)
