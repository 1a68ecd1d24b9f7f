"""A model provider on loopback that says what it is told to, for real SDKs to talk to.

In a test, by the fixture ``model_server``; for other processes, as a program of its own::

    python -m tests.support.model_server --port 0 --log requests.jsonl --reply "First answer." --reply "Second."

which prints its port, and answers the last reply for ever. Every request is a line of the log.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import anthropic_messages, google_generate, openai_chat
from tests.support.replies import Answer, Cut, Garbled, Refusal, Reply, reply

Json = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """How one provider's API reads a request and words an answer."""

    fault: Callable[[Json], Refusal | None]
    refusal: Callable[[Refusal], Json]
    whole: Callable[[Json, Reply], Json]
    events: Callable[[Json, Reply], Iterator[tuple[str | None, Json | str]]]


def _api(side: Any) -> Api:
    return Api(fault=side.fault, refusal=side.refusal, whole=side.whole, events=side.events)


ROUTES = (
    (re.compile(r"/v1/messages"), _api(anthropic_messages)),
    (re.compile(r"(/v1)?/chat/completions"), _api(openai_chat)),
    (
        re.compile(r"/v1beta/models/(?P<model>[^:]+):(?P<verb>generate|streamGenerate)Content"),
        _api(google_generate),
    ),
)


def _route(path: str, body: Json) -> Api | None:
    """The API at a path; what the path says of the request is put into its body."""
    for pattern, api in ROUTES:
        match = pattern.fullmatch(path)
        if match is not None:
            if "verb" in match.groupdict():
                body["model"] = match["model"]
                body["stream"] = match["verb"] == "streamGenerate"
            return api
    return None


class ModelServer:
    """Serves on a free port of 127.0.0.1 from a thread; usable as a context manager."""

    def __init__(self, log: Path, *answers: str | Answer, port: int = 0) -> None:
        """Requests get ``answers`` in turn, the last one for ever; ``log`` gets a JSON line for each request."""
        self.log = log
        self._lock = threading.Lock()
        self.answer_with(*(answers or ("Done.",)))
        self._http = _Http(self, port)
        self._thread = threading.Thread(target=self.serve, name="model-server", daemon=True)

    def answer_with(self, *answers: str | Answer) -> None:
        """From now on requests get these answers in turn, the last one for ever."""
        with self._lock:
            self._answers = [reply(answer) if isinstance(answer, str) else answer for answer in answers]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._http.server_address[1]

    @property
    def url(self) -> str:
        """The base URL for clients, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Json]:
        """All requests so far, oldest first: ``path`` and ``body``."""
        return read_requests(self.log)

    def take(self, path: str, body: Json) -> Answer:
        """Record a request and say what answers it."""
        with self._lock:
            with self.log.open("a") as log:
                log.write(json.dumps({"path": path, "body": body}) + "\n")
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def serve(self) -> None:
        """Serve on this thread, until the context ends or the process is ended."""
        # Seconds between two looks at whether to stop: what leaving the context may take.
        self._http.serve_forever(poll_interval=0.02)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: ModelServer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.model = model

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle of an answer is what tests are about; all else is reported."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = urlsplit(self.path).path
        assert isinstance(self.server, _Http)
        api = _route(path, body)
        answer = self.server.model.take(path, body)
        if api is None:
            self._send(404, json.dumps({"error": f"no model API at {path}"}).encode())
            return
        answer = api.fault(body) or answer
        if isinstance(answer, Refusal):
            self._send(answer.status, json.dumps(api.refusal(answer)).encode(), answer.headers)
        elif isinstance(answer, Garbled):
            self._send(
                200, b'data: {"cut' if body.get("stream") else b'{"cut', stream=bool(body.get("stream"))
            )
        elif body.get("stream"):
            whole = answer.reply if isinstance(answer, Cut) else answer
            events = list(api.events(body, whole))
            self._send_events(
                iter(events[: len(events) // 2] if isinstance(answer, Cut) else events),
                cut=isinstance(answer, Cut),
            )
        elif isinstance(answer, Cut):
            self._send(200, json.dumps(api.whole(body, answer.reply)).encode(), cut=True)
        else:
            self._send(200, json.dumps(api.whole(body, answer)).encode())

    def _send(
        self,
        status: int,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        cut: bool = False,
        stream: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if cut:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut

    def _send_events(self, events: Iterator[tuple[str | None, Json | str]], *, cut: bool) -> None:
        """``cut``: with fewer bytes than were announced."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        if cut:
            self.send_header("Content-Length", "1000000")
        # The end of the stream is the end of the connection.
        self.send_header("Connection", "close")
        self.end_headers()
        for name, data in events:
            said = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {said}\n\n".encode())
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr: the log file has it."""


def read_requests(log: Path) -> list[Json]:
    """The requests in a server's log, oldest first."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def model_server(tmp_path: Path) -> Iterator[ModelServer]:
    """A model server of the test's own; it answers ``Done.`` until ``answer_with`` says otherwise."""
    with ModelServer(tmp_path / "model-requests.jsonl") as server:
        yield server


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.model_server")
    parser.add_argument("--port", type=int, default=0, help="0: any free one; it is printed")
    parser.add_argument("--log", type=Path, required=True, help="gets a JSON line for each request")
    parser.add_argument("--reply", action="append", default=[], help="may be given more than once")
    given = parser.parse_args()
    server = ModelServer(given.log, *given.reply, port=given.port)
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
