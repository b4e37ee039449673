"""Stands for an etcd that has joined and does not serve clients: real etcd comes into that state by
a race between its announcement and a snapshot, which no test can force.

Beside its data it writes a line with its arguments to `starts` when it starts, and to `asked` what
it is asked, and `started`. It has applied something once `applied` is there. Ends with its parent.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    data = Path(given["--data-dir"])
    note(data.parent / "starts", " ".join(sys.argv[1:]))
    note(data.parent / "asked", "started")
    log = data / "member" / "wal"
    log.mkdir(parents=True, exist_ok=True)
    (log / "0.wal").touch()

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            note(data.parent / "asked", self.path)
            applied = 7 if (data.parent / "applied").exists() else 0
            name = "etcd_server_proposals_applied_total"
            body = f"# TYPE {name} gauge\n{name} {applied}\n"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """The supervisor's log is read."""

    port = urlsplit(given["--listen-metrics-urls"]).port or 0
    server = HTTPServer(("127.0.0.1", port), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.05)


def note(file: Path, line: str) -> None:
    with file.open("a") as lines:
        lines.write(f"{line}\n")


main()
