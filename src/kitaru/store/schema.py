"""The schema's version: fresh databases are made from a file, others are upgraded when they are older."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NoReturn

from kitaru.errors import KitaruBackendError

VERSION = "0004"
"""The newest revision in ``migrations/versions``. Revisions are numbered, so that they compare as text."""

TABLES = frozenset(
    (
        "executions",
        "calls",
        "attempts",
        "intents",
        "links",
        "memory_audit",
        "memory_keys",
        "memory_scopes",
        "memory_text",
        "memory_versions",
        "models",
        "secrets",
        "subcalls",
        "artifacts",
        "waits",
        "starts",
        "logs",
        "blobs",
        "schema_version",
    )
)


def schema_file(dialect: str) -> Traversable:
    """The generated schema of ``sqlite`` or ``postgres``."""
    return files("kitaru.store") / f"schema_{dialect}.sql"


def schema_statements(dialect: str) -> list[str]:
    """The statements of the generated schema, one by one."""
    lines = schema_file(dialect).read_text().splitlines()
    script = "\n".join(line for line in lines if not line.startswith("--"))
    return [statement for part in script.split(";\n") if (statement := part.strip())]


def refuse_newer(found: str, name: str) -> None:
    """Raise when the database was made by a newer Kitaru than this one."""
    if found > VERSION:
        raise KitaruBackendError(
            f"The database {name} has schema version {found}, and this Kitaru knows versions up to {VERSION}: a newer "
            "Kitaru has upgraded it. Install that version or a later one: `pip install --upgrade kitaru`."
        )


def refuse_foreign(name: str) -> NoReturn:
    """Raise for a database that holds tables, but not Kitaru's."""
    raise KitaruBackendError(
        f"The database {name} holds tables of something else than Kitaru. Name an empty database, or one that Kitaru "
        "made, in KITARU_DATABASE_URL."
    )
