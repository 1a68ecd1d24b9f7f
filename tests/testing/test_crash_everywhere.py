"""Killed before and after every commit: the result is the same, and nothing is done twice."""

from __future__ import annotations

import pytest

from kitaru.testing import CrashFindings, crash_everywhere
from tests.support.effect_sink import EffectSink
from tests.testing import everything as flows

ANSWERS = {"approve": True, "first": 1, "second": 2}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """No URL: an SQLite database for each run."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.mark.parametrize("name", ["everything", "everything_async"])
def test_every_commit_boundary(
    name: str, url: str | None, effect_sink: EffectSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINK", effect_sink.url)
    report = crash_everywhere(getattr(flows, name), "charge-1", answers=ANSWERS, database_url=url)
    print(report)
    assert report.deaths > 1.8 * len(report.boundaries)
    assert not effect_sink.repeated()
    asked = [key for key, body in effect_sink.requests if " refund " in body]
    assert len(asked) == len(set(asked)), "posted once more although somebody could say that it had happened"


def test_a_flow_that_reads_the_clock_is_found_out() -> None:
    with pytest.raises(CrashFindings, match="it ended completed with"):
        crash_everywhere(flows.by_the_clock)
