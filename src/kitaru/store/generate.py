"""Writes the schema files from the tables: ``python -m kitaru.store.generate``."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from kitaru.store.schema import VERSION, schema_file
from kitaru.store.tables import SEARCH, metadata


def schema_sql(dialect: str) -> str:
    """The statements that make an empty database one of this version; ``dialect`` is ``sqlite`` or ``postgres``."""
    target: Dialect = sqlite.dialect() if dialect == "sqlite" else postgresql.dialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=target)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=target)) for index in indexes]
    statements += SEARCH[dialect]
    statements.append(f"INSERT INTO schema_version (version_num) VALUES ('{VERSION}')")
    lines = [line.rstrip() for statement in statements for line in f"{statement.strip()};\n".splitlines()]
    return "-- Generated from tables.py by `python -m kitaru.store.generate`.\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    for dialect in ("sqlite", "postgres"):
        Path(str(schema_file(dialect))).write_text(schema_sql(dialect))


if __name__ == "__main__":
    main()
