"""Keeps the values of secrets out of what people read: logs, previews, recorded errors, diffs, messages."""

from __future__ import annotations

import re
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Any, cast

__all__ = ["MARK", "SHORTEST", "Redactor", "redactor"]

MARK = "***"
SHORTEST = 4
"""Characters of the shortest value that is redacted: a shorter one stands in too much other text."""


class Redactor:
    """Writes ``***`` for each value that it knows, also where it is escaped, URL-quoted or in base64.

    Example:
        >>> known = Redactor()
        >>> known.add(["hunter2!"])
        >>> known.text("password=hunter2%21"), known.text("aHVudGVyMiE="), known.text("hunter3!")
        ('password=***', '***', 'hunter3!')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.longest = 0

    def __bool__(self) -> bool:
        """Whether any value is known."""
        return self._pattern is not None

    def add(self, values: Iterable[str]) -> None:
        """From now on these values are redacted; those of less than ``SHORTEST`` characters are not."""
        with self._lock:
            forms = self._forms.union(form for value in values for form in _forms(value))
            if forms == self._forms:
                return
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._forms, self.longest = forms, len(longest_first[0])
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """``text`` without the values."""
        pattern = self._pattern
        # Looking for each form by itself is several times as fast as the pattern, and mostly finds none.
        if pattern is None or not any(form in text for form in self._forms):
            return text
        return pattern.sub(MARK, text)

    def beginning(self, text: str) -> str:
        """As ``text``, where the text goes on: also without what may be the beginning of a value at its end."""
        pattern = self._pattern
        if pattern is None:
            return text
        # What belongs to a whole value begins no other one.
        rest = max((found.end() for found in pattern.finditer(text)), default=0)
        for start in range(max(rest, len(text) - self.longest + 1), len(text)):
            end = text[start:]
            if any(form.startswith(end) for form in self._forms):
                return pattern.sub(MARK, text[:start]) + MARK
        return pattern.sub(MARK, text)

    def anything(self, value: Any) -> Any:
        """JSON types without the values, in keys too; the same object when nothing is known."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            items = cast("dict[Any, Any]", value).items()
            return {self.anything(key): self.anything(held) for key, held in items}
        if isinstance(value, (list, tuple)):
            return [self.anything(item) for item in cast("Iterable[Any]", value)]
        return value


def _forms(value: str) -> Iterator[str]:
    """How a value may stand in a text. What is printed comes line by line, so each line counts as a value."""
    for part in {value, *(line.strip() for line in value.splitlines())}:
        if len(part) >= SHORTEST:
            yield from (form for form in _written(part) if len(form) >= SHORTEST)


def _written(value: str) -> Iterator[str]:
    import json
    from urllib.parse import quote, quote_plus

    yield value
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield repr(value)[1:-1]
    yield repr(value.encode())[2:-1]
    for quoted in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield quoted
        yield re.sub("%..", lambda match: match[0].lower(), quoted)
    yield from _in_base64(value.encode())


def _in_base64(data: bytes) -> Iterator[str]:
    """The characters of base64 that ``data`` alone decides, at each place where it may begin in what is encoded."""
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            text = encode(bytes(before) + data).decode()
            first = -(-8 * before // 6)
            yield text[first : 8 * (before + len(data)) // 6]
        yield encode(data).decode()


redactor = Redactor()
"""This process's own: it knows the values that were decrypted here."""
