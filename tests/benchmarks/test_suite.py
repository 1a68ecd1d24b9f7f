"""The benchmark suite runs from end to end, at sizes that say nothing about speed."""

from __future__ import annotations

import re

import pytest

from benchmarks import __main__ as suite


def test_the_tables_have_every_line(capsys: pytest.CaptureFixture[str], postgres_url: str) -> None:
    suite.main(["--quick", "--rounds", "1", "--systems", "raw", "kitaru", "--postgres", postgres_url])
    told = capsys.readouterr()
    tables = [part for part in told.out.split("### ") if "| raw commits | Kitaru |" in part]
    assert [table.split()[0] for table in tables] == ["SQLite", "PostgreSQL"], told.err
    for table in tables:
        rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
        assert len(rows) == 13, table
        for name, _, *figures in rows[1:]:
            assert re.fullmatch(r"[\d,.]+", figures[0]), f"{name}: {figures} {told.err}"
