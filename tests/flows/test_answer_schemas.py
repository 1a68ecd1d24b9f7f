"""A question's schema stands for itself: nothing is fetched for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitaru.answers import validate_answer
from kitaru.errors import KitaruWaitValidationError
from kitaru.store.records import WaitRecord


def test_a_schema_from_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "schema.json"
    elsewhere.write_text('{"type": "integer"}')
    wait = WaitRecord("ask#1", "input", "ask", schema={"$ref": elsewhere.as_uri()})
    with pytest.raises(KitaruWaitValidationError, match="does not stand in it"):
        validate_answer(wait, 1)


def test_a_schema_with_its_own_definitions_is_used() -> None:
    schema = {"$defs": {"small": {"type": "integer", "maximum": 9}}, "$ref": "#/$defs/small"}
    wait = WaitRecord("ask#1", "input", "ask", schema=schema)
    validate_answer(wait, 9)
    with pytest.raises(KitaruWaitValidationError, match="10"):
        validate_answer(wait, 10)
