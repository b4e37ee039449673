"""One GET over plain HTTP: etcd's metrics port and the supervisors' own."""

from __future__ import annotations

import http.client


def http_get(host: str, port: int, path: str, seconds: float) -> tuple[int, bytes]:
    """Return status and body. Raises OSError where no whole answer comes; no step waits longer than
    `seconds`."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{host}:{port}{path} gives no HTTP answer: {error!r}") from error
    finally:
        connection.close()
