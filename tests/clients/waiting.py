"""Waiting for conditions, never for a time."""
import select
import time

PATIENCE_S = 60


def eventually(condition, patience_s: float = PATIENCE_S) -> bool:
    """Polls until `condition()` is true or the patience is over; whether it became true."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        select.select([], [], [], 0.005)
    return True
