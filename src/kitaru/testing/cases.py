"""What ``crash_everywhere`` asks its processes to do, and what they answer; both as JSON files."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kitaru.payloads import decode, encode
from kitaru.store.records import JsonDict
from kitaru.testing.faults import Fault


@dataclass(frozen=True, slots=True)
class Plan:
    """A flow and its arguments, and where to run it.

    Attributes:
        entrypoint: where the flow is defined.
        arguments: positional and keyword arguments, by ``packed``.
        answers: wait name or id -> the answer.
        database_url: the store of all cases; None: an SQLite database of its own for each.
        faults: a case for each.
    """

    entrypoint: JsonDict
    arguments: JsonDict
    answers: JsonDict
    database_url: str | None
    faults: list[Fault | None]

    def write(self, file: Path) -> None:
        """Keep the plan for the processes."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Plan:
        """The plan that was written."""
        form = json.loads(file.read_text())
        form["faults"] = [None if fault is None else Fault(**fault) for fault in form["faults"]]
        return cls(**form)


@dataclass(frozen=True, slots=True)
class End:
    """How a case ended: ``outcome`` is the result's preview or the failure; ``digest`` names it."""

    status: str
    outcome: str
    digest: str
    lives: int

    def write(self, file: Path) -> None:
        """Keep the end for the reporter."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> End:
        """The end that was written."""
        return cls(**json.loads(file.read_text()))


def packed(value: object) -> JsonDict:
    """A value as JSON, in Kitaru's own codecs."""
    encoded = encode(value)
    parts = {part.digest: b64encode(part.data).decode() for part in encoded.parts}
    return {"codec": encoded.codec, "data": b64encode(encoded.data).decode(), "parts": parts}


def unpacked(form: JsonDict) -> Any:
    """The value that was ``packed``."""
    parts = {digest: b64decode(data) for digest, data in form["parts"].items()}
    return decode(
        form["codec"], b64decode(form["data"]), fetch=lambda digests: {d: parts[d] for d in digests}
    )
