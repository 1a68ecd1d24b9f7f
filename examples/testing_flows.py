"""Tests of flows: a week passes at once, and a flow is killed before and after every commit."""

from __future__ import annotations

from datetime import timedelta

import kitaru
from kitaru.testing import FakeClock, crash_everywhere, run


@kitaru.checkpoint
def draft(topic: str) -> str:
    """A step that a test need not pay for twice."""
    return f"a text about {topic}"


@kitaru.flow
def publish(topic: str) -> str:
    """Drafts, sleeps over it for a week, and asks."""
    text = draft(topic)
    kitaru.sleep(timedelta(weeks=1))
    return f"published {text}" if kitaru.wait("approve") else "dropped"


def test_it_is_published_after_a_week() -> None:
    clock = FakeClock()
    began = clock.now()
    assert run(publish, "tea", answers={"approve": True}, clock=clock).get() == "published a text about tea"
    assert clock.now() - began == timedelta(weeks=1)


def test_it_survives_every_crash() -> None:
    report = crash_everywhere(publish, "tea", answers={"approve": True})
    print(f"{report.deaths} deaths at {len(report.boundaries)} commits, always {report.result}")


if __name__ == "__main__":
    test_it_is_published_after_a_week()
    test_it_survives_every_crash()
