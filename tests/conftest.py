"""Fixtures for every test; each module of ``tests.support`` says what it gives."""

# A module stands after those that it imports, so that all of them get their assertions explained.
pytest_plugins = [
    "tests.support.model_server",
    "tests.support.postgres",
    "tests.support.processes",
    "tests.support.claude",
    "tests.support.effect_sink",
]
