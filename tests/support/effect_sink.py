"""A stand-in for an outside system: an HTTP server on loopback that honours idempotency keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class EffectSink:
    """What reached the outside system.

    ``requests``: every request's key and body, in order; ``effects``: what was done, once a key.
    """

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    effects: dict[str, str] = field(default_factory=dict)

    def repeated(self) -> list[str]:
        """Bodies that were done under more than one key."""
        done = list(self.effects.values())
        return sorted({body for body in done if done.count(body) > 1})


@pytest.fixture
def effect_sink() -> Iterator[EffectSink]:
    """``POST`` does an effect and answers with its receipt; ``GET /KEY`` answers the receipt, or 404."""
    sink = EffectSink()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            key = self.headers["Idempotency-Key"]
            with lock:
                sink.requests.append((key, body))
                sink.effects.setdefault(key, body)
            self._answer(200, {"receipt": f"done {body}"})

        def do_GET(self) -> None:
            body = sink.effects.get(self.path.removeprefix("/"))
            if body is None:
                self._answer(404, {})
            else:
                self._answer(200, {"receipt": f"done {body}"})

        def _answer(self, status: int, answer: dict[str, str]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    sink.url = f"http://127.0.0.1:{server.server_port}"
    yield sink
    server.shutdown()
    server.server_close()
    thread.join()
