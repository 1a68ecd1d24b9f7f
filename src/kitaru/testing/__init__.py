"""Helpers to test flows: time skipped and waits answered in memory, and real processes killed at every commit."""

from __future__ import annotations

from kitaru.testing.clock import FakeClock
from kitaru.testing.crashing import CrashFindings, CrashReport, crash_everywhere
from kitaru.testing.running import run

__all__ = ["CrashFindings", "CrashReport", "FakeClock", "crash_everywhere", "run"]
