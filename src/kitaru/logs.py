"""What flows and checkpoints print and log, kept with the call that said it. Installed when the first flow starts."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO, cast

from kitaru.engine.scope import CheckpointScope, current_scope
from kitaru.redaction import redactor
from kitaru.store.records import LogRecord

OWN_LOGGER = "kitaru"
LONGEST_LINE = 16_384


class _Tee:
    """A text stream that also keeps what is written inside a flow."""

    def __init__(self, stream: TextIO, name: str, level: str) -> None:
        self.stream = stream
        self._name = name
        self._level = level
        self._partial: dict[tuple[str, str | None], str] = {}

    def write(self, text: str) -> int:
        """As the stream's own."""
        written = self.stream.write(text)
        scope = current_scope.get()
        if scope is not None:
            key = (scope.run.exec_id, scope.call_id if isinstance(scope, CheckpointScope) else None)
            *lines, rest = (self._partial.pop(key, "") + text).split("\n")
            for line in lines:
                _keep(self._name, self._level, None, line)
            if len(rest) > LONGEST_LINE:
                # What may be the beginning of a secret goes with what follows it.
                rest = redactor.text(rest)
                end = len(rest) - max(redactor.longest - 1, 0)
                _keep(self._name, self._level, None, rest[:end])
                rest = rest[end:]
            if rest:
                self._partial[key] = rest
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Handler(logging.Handler):
    """Keeps log records of flows and checkpoints.

    Python prints warnings that no handler takes. This is a handler, so it prints those that no other one takes.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record. Kitaru's own go to the terminal alone."""
        if record.levelno >= logging.WARNING and not _handled_by_another(record.name):
            stream = sys.stderr
            # As printed by the process, not by the flow: it is kept below.
            stream = stream.stream if isinstance(stream, _Tee) else stream
            if stream is not None:
                stream.write(f"{self.format(record)}\n")
                stream.flush()
        if current_scope.get() is not None and record.name.partition(".")[0] != OWN_LOGGER:
            _keep("logging", record.levelname, record.name, record.getMessage())


def _handled_by_another(name: str) -> bool:
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(handler is not _handler for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


_handler = _Handler()


def _keep(stream: str, level: str, logger: str | None, message: str) -> None:
    scope = current_scope.get()
    if scope is None:
        return
    call_id, attempt = (scope.call_id, scope.attempt) if isinstance(scope, CheckpointScope) else (None, 1)
    run = scope.run
    run.runner.log(LogRecord(run.exec_id, call_id, attempt, time.time(), stream, level, logger, message))


def capture() -> None:
    """See to it that prints and log records of flows are kept; they go where they went before as well."""
    for name, level in (("stdout", "INFO"), ("stderr", "WARNING")):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _Tee):
            setattr(sys, name, cast("TextIO", _Tee(stream, name, level)))
    root = logging.getLogger()
    if _handler not in root.handlers:
        root.addHandler(_handler)
