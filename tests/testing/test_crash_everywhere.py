"""Killed before and after every commit: the result is the same, and nothing is done twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kitaru.testing import CrashFindings, crash_everywhere
from kitaru.testing.faults import Action
from tests.support.effect_sink import EffectSink
from tests.testing import everything as flows

ANSWERS = {"approve": True, "first": 1, "second": 2}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """No URL: an SQLite database for each run."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.mark.parametrize("name", ["everything", "everything_async"])
def test_every_commit_boundary(
    name: str, url: str | None, effect_sink: EffectSink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SINK", effect_sink.url)
    monkeypatch.setenv("SIDE", str(tmp_path))
    report = crash_everywhere(getattr(flows, name), "charge-1", answers=ANSWERS, database_url=url)
    print(report)
    assert report.deaths > 1.8 * len(report.boundaries)
    calm = Counter((tmp_path / "calm-case-0.txt").read_text().splitlines())
    rough = [Counter(file.read_text().splitlines()) for file in tmp_path.glob("rough-*.txt")]
    assert len(rough) == report.runs
    for ran in rough:
        assert calm <= ran
        # No more than two are ever on their way when the one death comes.
        assert (ran - calm).total() <= 2, ran - calm
    assert not effect_sink.repeated()
    asked = [key for key, body in effect_sink.requests if " refund " in body]
    assert len(asked) == len(set(asked)), "posted once more although somebody could say that it had happened"


@pytest.mark.parametrize("action", ["error", "delay"])
def test_a_store_that_fails_or_is_slow_at_every_commit(
    action: Action, effect_sink: EffectSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINK", effect_sink.url)
    report = crash_everywhere(flows.everything, "charge-1", answers=ANSWERS, actions=[action])
    assert report.deaths == 0
    assert len(effect_sink.requests) == 2 * (report.runs + 1), "no fault of the store repeats an effect"


def test_a_flow_that_reads_the_clock_is_found_out() -> None:
    with pytest.raises(CrashFindings, match="it ended completed with"):
        crash_everywhere(flows.by_the_clock)
