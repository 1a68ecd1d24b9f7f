"""The script on the documentation's page works as it is written."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.model_server import ModelServer
from tests.support.processes import Python

PAGE = Path(__file__).parents[2] / "docs" / "opentelemetry.md"


def test_the_script_of_the_page(python: Python, model_server: ModelServer) -> None:
    python.environment |= {"ANTHROPIC_API_KEY": "no-real-key", "ANTHROPIC_BASE_URL": model_server.url}
    ((name, text),) = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    python.script(text, name)
    assert python.run(name).splitlines() == ["Done.", "0.0002"]
