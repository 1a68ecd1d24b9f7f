"""Two hundred kills at random moments, on each database."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kitaru.testing.faults import read_crossings
from kitaru.testing.lives import CROSSINGS
from tests.support.effect_sink import EffectSink
from tests.support.processes import PROJECT

RESULTS = {
    "everything": '"[1, 2, 3, 4, \\"done refund charge-1\\", true, \\"done notify charge-1\\", 5]"',
    "everything_async": '"[[2, 4], 1, 2, [\\"done send 1\\", \\"done send 2\\"], [7, 8], \\"charge-1\\"]"',
}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_two_hundred_kills_at_random_moments(
    database: str, tmp_path: Path, effect_sink: EffectSink, request: pytest.FixtureRequest
) -> None:
    url = [request.getfixturevalue("postgres_url")] if database == "postgres" else []
    side = tmp_path / "side"
    side.mkdir()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.testing.random_kills", str(tmp_path), "200", str(seed), *url],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
        env={**os.environ, "SINK": effect_sink.url, "SIDE": str(side)},
    )
    assert done.returncode == 0, done.stderr
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(end["kills"] for end in ends) >= 200
    for end in ends:
        assert (end["status"], end["outcome"]) == ("completed", RESULTS[end["flow"]]), end
        recorded = Counter(
            call
            for crossing in read_crossings(Path(end["case"]) / CROSSINGS)
            if crossing.moment == "after"
            for call in crossing.calls
        )
        assert max(recorded.values()) == 1, "a recorded checkpoint ran again"
        ran = Counter((side / f"{tmp_path.name}-{Path(end['case']).name}.txt").read_text().splitlines())
        # Two attempts of "flaky" are meant; a kill finds no more than two bodies on their way.
        assert ran.total() - len(ran) - 1 <= 2 * end["kills"], ran
    assert not effect_sink.repeated()
