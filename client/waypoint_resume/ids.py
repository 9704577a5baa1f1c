"""UUIDs of version 7: ordered by the millisecond in which they were made.

Spec: RFC 9562, sections 5.7 and 6.2 (method 2: the random bits count up within one millisecond).
"""

from __future__ import annotations

import secrets
import threading
import time
from uuid import UUID

# Lower-case canonical text, version 7, the RFC's variant.
PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

_RANDOM_BITS = 74
_lock = threading.Lock()
_last = 0  # the last id's 48 bits of time and 74 bits of randomness, as one number


def uuid7() -> UUID:
    """A new id, greater than every one that this process made before."""
    global _last  # noqa: PLW0603 - the order of a process's ids needs one memory
    with _lock:
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        # A clock that stands still or goes back: count up from the last id by a step that nobody can guess.
        _last = fresh if fresh >> _RANDOM_BITS > _last >> _RANDOM_BITS else _last + 1 + secrets.randbits(32)
        moment, random = _last >> _RANDOM_BITS, _last & (1 << _RANDOM_BITS) - 1
    return UUID(int=moment << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1)
