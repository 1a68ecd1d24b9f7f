"""Calls to storage that fails: which are repeated, for how long, and what ends it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from kitaru.engine.patience import Patience
from kitaru.engine.signals import FlowSignal, Stopped, StorageLost
from kitaru.errors import KitaruBackendError, KitaruStateError


class Failing:
    """A storage that fails a number of times, with the error given, before it works."""

    url = "failing://"

    def __init__(self, times: int, error: Exception) -> None:
        self.left = times
        self.error = error
        self.calls = 0

    def take(self, value: int) -> int:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return value

    append = take

    @property
    def reads(self) -> Failing:
        return self


def passing(*, unknown: bool = False) -> KitaruBackendError:
    return KitaruBackendError("The disk is full.", transient=True, unknown=unknown)


@pytest.mark.parametrize("unknown", [False, True])
def test_a_fault_that_passes_is_ridden_out_and_told_once(
    unknown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Failing(3, passing(unknown=unknown))
    patient = Patience("execution e1").before(storage)
    with caplog.at_level(logging.WARNING, "kitaru"):
        assert patient.append(7) == 7
        assert patient.append(8) == 8
    assert storage.calls == 5
    assert [record.message.partition("storage")[0] for record in caplog.records] == [
        "kitaru: execution e1 waits for its ",
        "kitaru: execution e1 goes on: its ",
    ]
    assert "The disk is full." in caplog.text


def test_sixteen_that_wait_are_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    patience, start = Patience("execution e1"), Barrier(16)

    def call(_: int) -> int:
        patient = patience.before(Failing(3, passing()))
        start.wait()
        return patient.append(1)

    with caplog.at_level(logging.WARNING, "kitaru"), ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(call, range(16))) == 16
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "error", [KitaruBackendError("It is read-only."), KitaruStateError("There is none.")]
)
def test_a_fault_that_stays_is_raised_at_once(error: Exception) -> None:
    storage = Failing(3, error)
    with pytest.raises(type(error)) as raised:
        Patience("execution e1").before(storage).append(1)
    assert raised.value is error
    assert storage.calls == 1


@pytest.mark.parametrize(("unknown", "calls"), [(False, 2), (True, 1)])
def test_a_takeover_is_repeated_only_when_it_is_known_to_have_failed(unknown: bool, calls: int) -> None:
    storage = Failing(1, passing(unknown=unknown))
    patient = Patience("execution e1").before(storage)
    if unknown:
        with pytest.raises(KitaruBackendError, match="full"):
            patient.take(1)
    else:
        assert patient.take(1) == 1
    assert storage.calls == calls


def test_its_readings_are_ridden_out_too() -> None:
    patient = Patience("execution e1").before(Failing(1, passing()))
    assert patient.url == "failing://"
    assert patient.reads.append(1) == 1


def test_it_ends_when_the_execution_is_closed() -> None:
    signals: list[FlowSignal] = []
    storage = Failing(1_000_000, passing())
    patient = Patience("execution e1", closed=lambda: signals[0] if signals else None).before(storage)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(patient.append, 1)
        signals.append(Stopped("e1"))
        with pytest.raises(Stopped):
            waiting.result()


def test_it_ends_with_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kitaru.engine.patience.PATIENCE_SECONDS", 0.2)
    storage = Failing(1_000_000, passing())
    patience = Patience("execution e1", give_up=lambda error: StorageLost("e1", error))
    with pytest.raises(StorageLost, match="The disk is full") as raised:
        patience.before(storage).append(1)
    assert isinstance(raised.value.cause, KitaruBackendError)
    assert storage.calls > 1
