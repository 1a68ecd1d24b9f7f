"""What a turn of Claude leaves, and what the next one goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_agent_sdk import Message, ResultMessage

from kitaru.adapters.claude_agent_sdk.workspace import Workspace

Entry = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """A conversation with Claude as it stood at the end of a turn, with all that another machine needs to go on.

    Attributes:
        session_id: the SDK's.
        transcript: the lines of its transcript; those of subagents by their names, its own by an empty one.
        workspace: the files of the folder that it works in; None where they do not travel.
        model_usage: what it has used since its beginning, by model, as the SDK says.
    """

    session_id: str
    transcript: dict[str, list[Entry]] = field(repr=False)
    workspace: Workspace | None = field(default=None, repr=False)
    model_usage: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]], repr=False)


@dataclass(frozen=True)
class Turn:
    """What came of asking Claude once.

    Attributes:
        text: the answer; None where the turn ended without one.
        structured_output: the answer by ``output_format`` of the options; None without.
        session: to be handed to the next ``run`` or ``query``.
        stop_reason: why it ended, for example ``end_turn``, ``error_max_turns``.
        num_turns: how often the model was asked on the way.
        cost_usd: what it cost in US dollars by the SDK's own prices; None where it does not tell.
        messages: all messages of the SDK, in order.
    """

    text: str | None
    structured_output: Any
    session: Session
    stop_reason: str | None
    num_turns: int
    cost_usd: float | None
    messages: list[Message] = field(repr=False)

    @property
    def result(self) -> ResultMessage:
        """The SDK's last message."""
        return next(message for message in reversed(self.messages) if isinstance(message, ResultMessage))


class Transcript:
    """The SDK's ``SessionStore``, in memory: it is filled from a session, and a session is made of it."""

    def __init__(self, session: Session | None) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self._seen: set[str] = set()
        for subpath, entries in (session.transcript if session else {}).items():
            assert session is not None
            self._entries[session.session_id, subpath] = list(entries)
            self._seen.update(entry["uuid"] for entry in entries if "uuid" in entry)

    async def append(self, key: Mapping[str, Any], entries: list[Entry]) -> None:
        """See ``SessionStore``: a batch may come twice."""
        held = self._entries.setdefault(_place(key), [])
        for entry in entries:
            if entry.get("uuid") not in self._seen:
                held.append(entry)
            if "uuid" in entry:
                self._seen.add(entry["uuid"])

    async def load(self, key: Mapping[str, Any]) -> list[Entry] | None:
        """See ``SessionStore``. The folder's name in the key is another one on another machine."""
        found = self._entries.get(_place(key))
        return None if found is None else list(found)

    async def list_subkeys(self, key: Mapping[str, Any]) -> list[str]:
        """See ``SessionStore``."""
        return [
            subpath for session_id, subpath in self._entries if session_id == key["session_id"] and subpath
        ]

    def of(self, session_id: str) -> dict[str, list[Entry]]:
        """One session's transcripts."""
        return {
            subpath: entries for (owner, subpath), entries in self._entries.items() if owner == session_id
        }


def _place(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["session_id"], key.get("subpath") or ""
