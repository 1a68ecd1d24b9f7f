"""What ended an execution: the exception, and the recorded calls that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from kitaru.errors import FailureOrigin, KitaruDivergenceError
from kitaru.payloads import describe
from kitaru.store.records import JsonDict


@dataclass(slots=True)
class Raised:
    """An exception that a recorded call raised in the flow."""

    error: BaseException
    call_id: str
    origin: FailureOrigin


def failure_form(error: BaseException, raised: Sequence[Raised]) -> JsonDict:
    """A failure as it stands in the journal: its origin, and the failed calls in the chain of its causes."""
    chain = _chain(error)
    behind = [one for one in raised if any(one.error is link for link in chain)]
    origin = behind[-1].origin if behind else FailureOrigin.USER_CODE
    if isinstance(error, KitaruDivergenceError):
        origin = FailureOrigin.DIVERGENCE
    described = describe(error)
    return {
        "origin": origin,
        "message": described["message"],
        "type": described["type"],
        "error": described,
        "calls": [one.call_id for one in behind],
    }


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    pending = [error]
    while pending:
        link = pending.pop()
        if any(link is known for known in chain):
            continue
        chain.append(link)
        pending += [e for e in (link.__cause__, link.__context__) if e is not None]
        if isinstance(link, BaseExceptionGroup):
            pending += cast("tuple[BaseException, ...]", link.exceptions)
    return chain
