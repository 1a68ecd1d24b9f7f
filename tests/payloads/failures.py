"""Exceptions of every build, at module level so that they are found by name."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any


class Simple(Exception):
    pass


class KeywordOnly(Exception):
    def __init__(self, *, code: int, hint: str) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.hints = {hint}


class MoreArguments(ValueError):
    def __init__(self, first: str, second: int) -> None:
        super().__init__(first)
        self.second = second

    def __str__(self) -> str:
        return f"{self.args[0]}/{self.second}"


class NeverCallsUp(Exception):
    def __init__(self, number: int) -> None:
        self.number = number


class HoldsALock(Exception):
    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


class Disk(OSError):
    def __init__(self, code: int, device: str) -> None:
        super().__init__(code, f"{device} failed", device)
        self.device = device


class Slotted(Exception):
    __slots__ = ("hidden",)

    def __init__(self) -> None:
        super().__init__("s")
        self.hidden = 1


class BrokenText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@dataclass
class Structured(Exception):
    code: int
    detail: Any = None


class Many(ExceptionGroup[Exception]):
    pass


class Stop(BaseException):
    pass
