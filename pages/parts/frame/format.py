"""Numbers, sizes, times and enums as people read them: binary units, thousands separators, relative ages."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import streamlit as st

from core.base.facts import Contents, Role, Sourced
from core.base.records import Health, SavedAtSource
from core.base.sizes import size_text
from core.services.checkpoints import SPECS

NONE = "–"
CONTENTS = {
    Contents.WEIGHTS_ONLY: "weights only",
    Contents.WEIGHTS_AND_OPTIMIZER: "weights and optimizer",
    Contents.FULL_MODEL: "full model",
    Contents.EXPORT: "export",
    Contents.UNKNOWN: "unknown",
}
FORMATS = {spec.format: spec.label for spec in SPECS}
HEALTH = {Health.OK: "ok", Health.WARNING: "warning", Health.ERROR: "error", Health.WRITING: "writing"}
ROLES = {Role.WEIGHT: "weight", Role.OPTIMIZER: "optimizer", Role.OTHER: "other"}
SAVED_AT = {
    SavedAtSource.STATE_FILE: "from the state file",
    SavedAtSource.FORMAT: "from inside the checkpoint",
    SavedAtSource.MTIME: "from the files' modification times",
}
COLORS = {
    "error": "red",
    "warning": "orange",
    "info": "gray",
    "ok": "green",
    "writing": "blue",
    "live": "blue",
    "idle": "gray",
    "stale": "orange",
    "deleted": "gray",
    "pending": "blue",
    "claimed": "violet",
    "withdrawn": "gray",
}
STATUS = (
    "live: something in the run changed a short while ago (an hour, or three of its usual pauses between saves, unless "
    "set otherwise). stale: nothing changed for long (14 days, unless set otherwise). idle: between the two."
)
ICONS = {
    "error": ":material/error:",
    "warning": ":material/warning:",
    "info": ":material/info:",
    "ok": ":material/check_circle:",
    "writing": ":material/pending:",
}
_STEPS = ((60, "second", 1), (3600, "minute", 60), (86_400, "hour", 3600), (30 * 86_400, "day", 86_400))
_MONTH, _YEAR = 30 * 86_400, 365 * 86_400


def size(number: int) -> str:
    """Bytes in binary units: 512 B, 4.0 KiB, 1.2 GiB."""
    return size_text(number)


def signed(number: int) -> str:
    """Bytes that came, with a plus, or went."""
    return f"+{size_text(number)}" if number > 0 else size_text(number)


def number(value: int | None) -> str:
    """A number with thousands separators, or a dash."""
    return NONE if value is None else f"{value:,}"


def count(value: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 run`, `1,200 runs`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def sourced(value: Sourced | None) -> str:
    """The number of a sourced one, or a dash."""
    return number(None if value is None else value.value)


def metric(found: tuple[str, float]) -> str:
    """A metric with its name, where the file's name tells one: `val_loss 0.31`, `0.285`."""
    name, value = found
    return f"{value:g}" if name == "metric" else f"{name} {value:g}"


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago: `just now`, `12 seconds ago`, `3 hours ago`, `2 months ago`."""
    if then is None:
        return NONE
    seconds = (now - then).total_seconds()
    if seconds < 0:
        return "just now" if seconds > -5 else f"in {span(-seconds)}"
    return "just now" if seconds < 2 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A length of time in its largest whole unit: `1 second`, `3 hours`."""
    for limit, unit, length in _STEPS:
        if seconds < limit:
            return count(max(1, int(seconds // length)), unit)
    if seconds < _YEAR:
        return count(int(seconds // _MONTH), "month")
    return count(int(seconds // _YEAR), "year")


def exact(moment: datetime | None, *, zone: bool = True) -> str:
    """A moment in the viewer's zone to the second: `2026-01-31 10:30:00 CET`."""
    if moment is None:
        return NONE
    return local(moment).strftime("%Y-%m-%d %H:%M:%S %Z" if zone else "%Y-%m-%d %H:%M:%S")


def utc(moment: datetime) -> str:
    """A moment in UTC to the second, for files that are read elsewhere: `2026-01-31 09:30:00 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def local(moment: datetime) -> datetime:
    """A moment in the viewer's zone."""
    return moment.astimezone(_zone())


def zone_name() -> str:
    """The viewer's zone: `Europe/Berlin`; `UTC` where the browser tells none that is known."""
    return str(_zone())


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (LookupError, ValueError, OSError):  # the browser may say anything
        return UTC


def shape(dimensions: tuple[int, ...] | None) -> str:
    """A tensor's shape: `3 × 3 × 32`, `scalar`, or `unknown`."""
    if dimensions is None:
        return "unknown"
    return " × ".join(f"{dimension:,}" for dimension in dimensions) if dimensions else "scalar"


def findings(errors: int, warnings: int) -> list[str]:
    """A run's health in words: `1 error` and `2 warnings`, or `ok`."""
    parts = [count(errors, "error")] if errors else []
    parts += [count(warnings, "warning")] if warnings else []
    return parts or ["ok"]


def color(word: str) -> str:
    """The badge colour of a word about health or status, also with a count before it: `2 errors`."""
    return COLORS[word.rsplit(maxsplit=1)[-1].removesuffix("s")]
