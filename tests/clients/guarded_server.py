"""The server behind keys that has room for one request, and how its place is taken for as long as a test needs."""
import contextlib
import threading

from waiting import eventually

API_KEY, ADMIN_KEY = "key-of-the-tests", "key-of-the-administration"
OVERLOADED = 'tgi_request_failure{err="overloaded"}'


@contextlib.contextmanager
def occupied(server, adapter: str = "patterns"):
    """One request waits inside for a paused adapter. Gives what lets it go and waits for its end."""
    body = {"inputs": "x", "parameters": {"adapter_id": adapter, "max_new_tokens": 1}}
    assert server.exchange("POST", f"/v1/adapters/{adapter}/pause", headers=server.rights()).status == 200
    thread = threading.Thread(target=server.exchange, args=("POST", "/generate", body, server.rights()))
    thread.start()

    def free():
        server.exchange("POST", f"/v1/adapters/{adapter}/resume", headers=server.rights())
        thread.join()

    try:
        assert eventually(lambda: server.metric("lorica_sessions") == 1)
        yield free
    finally:
        free()
    assert eventually(server.at_rest)
