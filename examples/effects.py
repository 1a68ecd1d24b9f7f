"""An effect must not happen twice. Here its answer gets lost: the bank is asked what became of it, not paid again."""

from __future__ import annotations

import kitaru

BOOKS: dict[str, str] = {}


def bank(key: str, charge: str) -> str:
    """The outside system: it pays, and then the connection breaks before it can answer."""
    BOOKS[key] = f"receipt for {charge}"
    raise ConnectionResetError("no answer")


def look_up(key: str) -> str | None:
    """What the bank knows of a key: the receipt, or None when nothing was paid."""
    print("asking the bank")
    return BOOKS.get(key)


@kitaru.checkpoint(effect=True, safe_errors=(ConnectionRefusedError,), reconcile=look_up)
def refund(charge: str) -> str:
    """Committed as an intent before it starts. A refused connection is safe to retry, a broken one is not."""
    print(f"refunding {charge}")
    return bank(kitaru.current().idempotency_key, charge)


@kitaru.flow
def complaint(charge: str) -> str:
    """Without ``reconcile`` the flow would wait for a person to say whether it was paid."""
    return refund(charge)


if __name__ == "__main__":
    print(complaint.run("charge-7").wait())
    print(len(BOOKS), "refund in the books")
