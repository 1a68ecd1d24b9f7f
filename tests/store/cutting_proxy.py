"""A stand-in for a network that fails at the worst moment: it loses the answer to what it has passed on."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path


class CuttingProxy:
    """Passes bytes between clients and a PostgreSQL server's socket.

    Once ``cut_after`` is set, the first message from a client that contains it is passed on, the server's answer to it
    is awaited and thrown away, and the connection ends.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self.folder = Path(tempfile.mkdtemp(prefix="cut-"))
        self.cut_after: bytes | None = None
        self.cuts = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / server.name))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self.folder)

    def _accept(self) -> None:
        # The listener is closed when the test ends.
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        lost = threading.Event()
        back = threading.Thread(target=self._answer, args=(server, client, lost), daemon=True)
        back.start()
        while data := _receive(client):
            if self.cut_after is not None and self.cut_after in data:
                self.cut_after = None
                self.cuts += 1
                lost.set()
            server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)
        back.join()
        client.close()
        server.close()

    def _answer(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        while data := _receive(server):
            if lost.is_set():
                break
            with suppress(OSError):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""
