"""What became of one run's part of a plan, told: it went into quarantine, or for good where the disk is full."""

from core.base.sizes import size_text
from core.cli.session import say
from core.services.quarantine import CarriedOut, Deleted, short_id
from core.services.retention import RunPlan
from waypoint_resume.names import to_text

_LISTED = 20


def tell(part: CarriedOut) -> None:
    """Say it on stderr."""
    name, done = to_text(part.planned.run), part.done
    if part.problem is not None:
        say(f"{name}: {part.problem}")
    if part.is_full:
        _tell_way_out(part.planned)
    if done is None:
        return
    for left in done.left_out:
        say(f"{name}: {to_text(left.path)} stays: {'; '.join(left.reasons)}")
    if isinstance(done, Deleted):
        say(f"{name}: {len(done.paths):,} deleted for good, {size_text(done.freed_bytes)} freed")
    elif done.journal is not None:
        moved, short = len(done.journal.items), short_id(done.journal.id)
        say(f"{name}: {moved:,} moved; `undo {name} {short}` brings it back")


def _tell_way_out(planned: RunPlan) -> None:
    """What a person can do about a full disk: the option that deletes, and the files."""
    say(f"To delete it for good: the same command with --delete --confirm {to_text(planned.run)}. It deletes:")
    files = [file.path for item in planned.items for file in item.files]
    for path in files[:_LISTED]:
        say(f"  {to_text(planned.folder)}/{to_text(path)}")
    if len(files) > _LISTED:
        say(f"  and {len(files) - _LISTED:,} more files, which `plan --json` lists")
