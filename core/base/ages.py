"""Ages: until when a run is live, from when it is stale, and what is young."""

from dataclasses import dataclass

SECOND_US = 1_000_000


_AHEAD_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Settings that decide a run's status, seconds; within `write_grace` a save may still be going on."""

    live_window: float
    stale_after: float
    write_grace: float = 0.0


def turning_points(
    changed_us: int | None, interval: float | None, ages: Ages, ended_us: int | None = None
) -> tuple[int, int]:
    """Until when a run is live and from when it is stale, by its last change and its median save interval (seconds).

    It is not live any more where all was written by jobs that are known to have ended (`ended_us`: until then).
    """
    changed = changed_us or 0
    alive_us = int(max(ages.live_window, 3 * (interval or 0)) * SECOND_US)
    has_ended = ended_us is not None and changed <= ended_us
    return changed + (0 if has_ended else alive_us), changed + int(ages.stale_after * SECOND_US)


def is_young(time_ns: int, now_ns: int, span_ns: int) -> bool:
    """Within a span. A pass knows the time of its beginning, so that files may be newer; a day newer is no truth."""
    return now_ns - span_ns < time_ns < now_ns + _AHEAD_NS
