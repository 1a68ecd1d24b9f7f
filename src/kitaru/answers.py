"""Answers to waits: read from text, held against the question's JSON schema, stored once."""

from __future__ import annotations

import json
import sys
from typing import Any

from kitaru.engine.vault import Vault
from kitaru.errors import KitaruStateError, KitaruWaitValidationError
from kitaru.store.protocol import Store
from kitaru.store.records import WaitRecord, WaitStatus

__all__ = ["answer", "ask_in_terminal", "parse_answer", "validate_answer"]

YES = ("y", "yes", "true")
NO = ("n", "no", "false")


def parse_answer(schema: dict[str, Any] | None, text: str) -> Any:
    """The value that a person typed: JSON; also y/n for a boolean, and plain text for a string.

    Raises:
        KitaruWaitValidationError: when it is not JSON.

    Example:
        >>> parse_answer({"type": "boolean"}, "y")
        True
    """
    kind = (schema or {}).get("type")
    plain = text.strip()
    if kind == "boolean" and plain.lower() in YES + NO:
        return plain.lower() in YES
    if schema is None and not plain:
        return None
    try:
        return json.loads(plain)
    except json.JSONDecodeError as error:
        if kind == "string" or "enum" in (schema or {}):
            return plain
        if kind == "boolean":
            raise KitaruWaitValidationError(f"{plain!r} is neither yes nor no: answer y or n.") from error
        raise KitaruWaitValidationError(
            f"{text!r} is not JSON: {error}. Quote strings, for example '\"text\"'."
        ) from error


def validate_answer(wait: WaitRecord, value: Any) -> None:
    """Hold an answer against the wait's schema.

    Raises:
        KitaruWaitValidationError: when it does not match; nothing was stored.
    """
    if wait.schema is None:
        return
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # Its stubs know no type for an arbitrary answer. With a registry of its own it fetches nothing from anywhere.
    validator: Any = Draft202012Validator(wait.schema, registry=Registry())
    try:
        errors: list[Any] = list(validator.iter_errors(value))
    except Unresolvable as error:
        raise KitaruWaitValidationError(
            f"The schema of {wait.name!r} refers to {error.ref!r}, which does not stand in it; no answer can be held "
            "against it. Nothing was stored. Ask again with a schema that stands for itself."
        ) from error
    if not errors:
        return
    told = "; ".join(f"{e.json_path.replace('$', 'answer', 1)}: {e.message}" for e in errors[:3])
    raise KitaruWaitValidationError(
        f"The answer to {wait.name!r} does not match its schema: {told}. Nothing was stored; the execution goes on "
        f"waiting. Schema: {json.dumps(wait.schema)}"
    )


def answer(store: Store, vault: Vault, exec_id: str, wait: WaitRecord, value: Any, by: str) -> None:
    """Store the answer to a pending wait.

    Raises:
        KitaruWaitValidationError: when it does not match the schema.
        KitaruStateError: when the wait was settled already, or the execution has finished.
    """
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    validate_answer(wait, value)
    payload, blobs = vault.put(value)
    stored = store.settle(
        exec_id,
        wait.call_id,
        WaitStatus.ANSWERED,
        answer=payload,
        by=by,
        blobs=[(blob.digest, blob.data) for blob in blobs],
    )
    if not stored:
        raise KitaruStateError(
            f"Wait {wait.name!r} of execution {exec_id} was settled already; the first answer counts. See "
            f"`kitaru executions get {exec_id}`."
        )


def ask_in_terminal(store: Store, vault: Vault, exec_id: str, wait: WaitRecord) -> bool:
    """Ask in this terminal until the answer is valid. False: the person pressed Ctrl-D, to answer later."""
    print(f"\n{exec_id} waits for {wait.name!r}. {wait.question or ''}", file=sys.stderr)
    hint = (
        "y/n" if (wait.schema or {}).get("type") == "boolean" else "JSON" if wait.schema else "Enter to go on"
    )
    while True:
        try:
            print(f"[{hint}, Ctrl-D to answer later] > ", end="", file=sys.stderr, flush=True)
            text = input()
        except EOFError:
            print(file=sys.stderr)
            return False
        try:
            answer(store, vault, exec_id, wait, parse_answer(wait.schema, text), "terminal")
        except KitaruWaitValidationError as error:
            print(error, file=sys.stderr)
        except KitaruStateError as error:
            print(error, file=sys.stderr)
            return True
        else:
            return True
