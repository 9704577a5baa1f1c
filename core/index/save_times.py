"""When a checkpoint was saved, and who says so."""

from datetime import UTC, datetime, timedelta

from core.model import Checkpoint, Facts, Format, SavedAtSource
from core.scan.group import Group

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ns(nanoseconds: int) -> datetime:
    """An aware UTC datetime; times that datetime cannot hold become its bounds."""
    seconds = min(max(nanoseconds // 1_000_000_000, 0), 253_402_300_799)
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000 % 1_000_000)


def saved_at(one: Group, facts: Facts) -> tuple[datetime, SavedAtSource]:
    """The format's own word, else the time of the files."""
    if facts.saved_at is not None:
        return facts.saved_at, SavedAtSource.FORMAT
    if one.format is Format.TF_BUNDLE:  # written last, renamed into place
        return from_ns(one.files[0].mtime_ns), SavedAtSource.MTIME
    return from_ns(max((file.mtime_ns for file in one.files), default=0)), SavedAtSource.MTIME


def dated(item: Checkpoint, times: dict[str, float]) -> Checkpoint:
    """A bundle's save time from the state file, where that tells it."""
    seconds = times.get(item.path.rpartition("/")[2]) if item.format is Format.TF_BUNDLE else None
    if seconds is None:
        return item
    return item._replace(saved_at=from_ns(int(seconds * 1e9)), saved_at_source=SavedAtSource.STATE_FILE)
