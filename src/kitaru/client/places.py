"""Where in an execution an artifact stands, as its id says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where an artifact stands: ``what`` is ``input``, ``output``, ``saved`` or ``result``; ``name`` the parameter or
    the ordinal; ``call_id`` is empty for the flow's own inputs and result.
    """

    exec_id: str
    call_id: str
    what: str
    name: str = ""

    @classmethod
    def of(cls, artifact_id: str) -> Place | None:
        """The place that an id names; None when it cannot be an artifact's."""
        exec_id, _, rest = artifact_id.partition("/")
        for what in ("output", "result"):
            if rest.endswith(f"/{what}"):
                return cls(exec_id, rest.removesuffix(f"/{what}"), what)
        for what in ("input", "saved"):
            call_id, found, name = rest.rpartition(f"/{what}/")
            if found:
                return cls(exec_id, call_id, what, name)
        return None
