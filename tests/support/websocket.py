"""What an API server says when a command is run in a pod (RFC 6455; Kubernetes: v4.channel)."""

from __future__ import annotations

import base64
import hashlib
from http.server import BaseHTTPRequestHandler

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def run(handler: BaseHTTPRequestHandler, out: str) -> None:
    """Take the command, print this, and end well."""
    key = handler.headers["Sec-WebSocket-Key"]
    accepted = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    handler.send_response(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Sec-WebSocket-Accept", accepted)
    handler.send_header("Sec-WebSocket-Protocol", handler.headers["Sec-WebSocket-Protocol"])
    handler.end_headers()
    handler.wfile.write(_frame(2, b"\x01" + out.encode()))
    handler.wfile.write(_frame(2, b'\x03{"metadata": {}, "status": "Success"}'))
    handler.wfile.write(_frame(8, b""))


def _frame(kind: int, content: bytes) -> bytes:
    return bytes([0x80 | kind, len(content)]) + content
