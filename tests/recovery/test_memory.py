"""A flow that reads, computes and writes, killed at every commit; and processes that count against each other."""

from __future__ import annotations

import json

import pytest

from kitaru import KitaruClient
from kitaru.testing import crash_everywhere
from kitaru.testing.faults import Action
from tests.memory import flows
from tests.memory.linearizability import Operation, is_linearizable
from tests.recovery.conftest import Stage
from tests.support.processes import PROJECT

EXPECTED = [
    *("fact 1", "fact 2", "fact 3"),
    *("facts@3", "facts@2", "facts@1"),
    *("scratch@4", "scratch@3", "scratch@2", "scratch@1"),
    "lost to 3",
]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """No URL: an SQLite database for each run."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


def test_every_commit_boundary(url: str | None) -> None:
    report = crash_everywhere(flows.remembering, 3, database_url=url)
    assert json.loads(report.result) == EXPECTED
    assert sum("memory" in boundary for boundary in report.boundaries) > 8
    assert report.deaths > 1.8 * len(report.boundaries)


@pytest.mark.parametrize("action", ["error", "delay"])
def test_a_store_that_fails_at_every_commit(action: Action) -> None:
    report = crash_everywhere(flows.remembering, 2, actions=[action])
    assert report.deaths == 0


def test_sixteen_processes_count_to_3200(both: Stage) -> None:
    both.python.environment |= {"PYTHONPATH": str(PROJECT), "TIMES": "200"}
    processes = [both.python.start("-m", "tests.memory.flows") for _ in range(16)]
    for process in processes:
        assert process.wait(300) == 0, process.output
    client = KitaruClient()
    found = client.memories.get("n", scope=flows.SCOPE)
    assert found is not None
    assert (client.artifacts.get(found.artifact_id).load(), found.version) == (3200, 3200)
    history = client.memories.history("n", scope=flows.SCOPE, limit=5000)
    assert [entry.version for entry in history] == list(range(3200, 0, -1))


def test_histories_are_linearizable(both: Stage) -> None:
    both.python.environment |= {"PYTHONPATH": str(PROJECT), "TIMES": "40"}
    started = [
        both.python.start("-m", "tests.memory.clients", environment={"SEED": str(seed)}) for seed in range(6)
    ]
    history: list[Operation] = []
    for process in started:
        lines = process.succeed(120).splitlines()
        for kind, given, outcome, began, ended in map(json.loads, lines):
            argument = tuple(given) if kind == "cas" else given
            history.append(Operation(kind, argument, outcome, began, ended))
    assert len(history) == 240
    assert any(one.outcome[0] == "conflict" for one in history if one.kind == "cas")
    assert is_linearizable(history)
