"""How commands answer: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, cast

import typer
from pydantic import BaseModel

from kitaru.errors import KitaruUsageError


class Form(StrEnum):
    """What a command prints."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs.")]


def plain(value: Any) -> Any:
    """A model as JSON types."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def one(command: str, form: Form, item: Any, show: Callable[[], None]) -> None:
    """Answer with one thing: ``{"command", "item"}``."""
    if form is Form.JSON:
        print(json.dumps({"command": command, "item": plain(item)}))
    else:
        show()


def many(command: str, form: Form, items: Sequence[Any], show: Callable[[], None], **more: Any) -> None:
    """Answer with several: ``{"command", "items", "count"}``."""
    if form is Form.JSON:
        answer = {"command": command, "items": [plain(item) for item in items], "count": len(items), **more}
        print(json.dumps(answer))
    else:
        show()


def line(item: Any) -> None:
    """One JSON line of a stream."""
    print(json.dumps(plain(item)), flush=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console().print(drawn)


def parsed(text: str | None, option: str) -> dict[str, Any]:
    """A JSON object from an option; empty when it was left out."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise KitaruUsageError(
            f'{option} is not JSON: {error}. Write for example {option} \'{{"topic": "x"}}\'.'
        ) from error
    if not isinstance(value, dict):
        raise KitaruUsageError(f'{option} takes a JSON object, for example \'{{"topic": "x"}}\', not {text}.')
    return cast("dict[str, Any]", value)


def ago(moment: datetime | None) -> str:
    """How long ago, for tables."""
    if moment is None:
        return "-"
    return duration((datetime.now(UTC) - moment).total_seconds()) + " ago"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that people would use."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.1f}s"


def between(began: datetime | None, ended: datetime | None) -> str:
    """The time from one moment to the other, or until now."""
    if began is None:
        return "-"
    return duration(((ended or datetime.now(UTC)) - began).total_seconds())
