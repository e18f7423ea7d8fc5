"""HTTP with nothing but the standard library: what the clients' answers are compared with."""
import dataclasses
import http.client
import json

TIMEOUT_S = 120


@dataclasses.dataclass
class reply:
    """One whole answer. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)

    def events(self) -> list[str]:
        """What stands behind `data: `, an item for each event."""
        return [part[6:].decode() for part in self.body.split(b"\n\n") if part.startswith(b"data: ")]


def exchange(port: int, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> reply:
    """Sends one request on a connection of its own. `body` is bytes as they are, or anything to be sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        fields = ({} if body is None else {"content-type": "application/json"}) | (headers or {})
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        return reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()
