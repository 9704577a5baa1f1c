"""When a checkpoint was saved, and who says so."""

from datetime import UTC, datetime, timedelta

from core.base.facts import Facts
from core.base.files import Listing
from core.base.records import Checkpoint, SavedAtSource
from core.formats.registry import spec_of
from core.formats.spec import Group

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ns(nanoseconds: int) -> datetime:
    """An aware UTC datetime; times that datetime cannot hold become its bounds."""
    seconds = min(max(nanoseconds // 1_000_000_000, 0), 253_402_300_799)
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000 % 1_000_000)


def saved_at(one: Group, facts: Facts, listing: Listing) -> tuple[datetime, SavedAtSource]:
    """The format's own word, else the time of the files, or of the folder where none is left."""
    if facts.saved_at is not None:
        return facts.saved_at, SavedAtSource.FORMAT
    if not one.files:
        return from_ns(max(time for _, time in listing.folder_times)), SavedAtSource.MTIME
    return from_ns(spec_of(one.format).dated_by(one.files)), SavedAtSource.MTIME


def dated(item: Checkpoint, times: dict[str, float]) -> Checkpoint:
    """The save time from the state file, where that can name the checkpoint and tells it."""
    seconds = times.get(item.path.rpartition("/")[2]) if spec_of(item.format).in_state_files else None
    if seconds is None:
        return item
    return item._replace(saved_at=from_ns(int(seconds * 1e9)), saved_at_source=SavedAtSource.STATE_FILE)
