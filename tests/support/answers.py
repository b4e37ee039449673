"""HTTP servers on loopback that give prepared answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """What a server does with a request."""

    code: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    closes: bool = False
    """End the connection without a word."""
    after: threading.Event | None = None
    """Answer only when this is set."""
    only_to: str | None = None
    """The one etcd member, in hex, that gets it; others get 503."""


@dataclass
class Server:
    """A running server, and what it was asked: `GET /path?query` and so on."""

    url: str
    port: int
    asked: list[str] = field(default_factory=list[str])


Respond = Callable[[str, str, str], Reply]
"""From method, path with query, and body."""


@contextmanager
def serving(answer: Reply | Respond, port: int = 0) -> Generator[Server]:
    """Give one answer to everything, or what a function says, on a port of 127.0.0.1; 0: a free
    one."""

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode(errors="replace")
            known.asked.append(f"{self.command} {self.path}")
            reply = answer if isinstance(answer, Reply) else answer(self.command, self.path, text)
            if reply.only_to not in (None, self.headers.get("X-Server-From")):
                reply = Reply(503)
            if reply.after is not None:
                reply.after.wait(30)
            if reply.closes:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            with suppress(ConnectionError):  # who asked has given up
                self._say(reply)

        def _say(self, reply: Reply) -> None:
            self.send_response(reply.code)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body.encode())))
            self.end_headers()
            self.wfile.write(reply.body.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        # As real servers have it; with the library's 5 a burst of connections is reset.
        request_queue_size = 128

    server = Listener(("127.0.0.1", port), Handler)
    port = server.server_address[1]
    known = Server(f"http://127.0.0.1:{port}", port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
