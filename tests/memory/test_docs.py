"""The script on the documentation's page works as it is written."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.processes import Python

PAGE = Path(__file__).parents[2] / "docs" / "memory.md"


def test_the_script_of_the_page(python: Python) -> None:
    ((name, text),) = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    python.script(text, name)
    assert python.run(name).splitlines() == ["['ada was asked 1 times', 'ada was asked 2 times']"]
