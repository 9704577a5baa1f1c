"""Batches that were moved aside, as JSON: the answers of `quarantine`, `undo` and `purge`. Sizes are bytes."""

from core.acts.batches import Batch
from core.acts.delete_now import Deleted
from core.acts.purge import Purged
from core.acts.recovery import Returned
from core.services.quarantine import CarriedOut
from waypoint_resume.names import to_text


def batch_document(item: Batch) -> dict[str, object]:
    """A batch, listed."""
    return {
        "batch": item.id,
        "kind": item.kind.value,
        "stage": item.stage.value,
        "at": item.at.isoformat().replace("+00:00", "Z"),
        "by": item.by,
        "note": item.note,
        "bytes": item.bytes,
        "freed_bytes": item.freed_bytes,
        "items": [
            {"kind": one.kind.value, "path": one.path, "format": one.format, "files": one.files, "bytes": one.bytes}
            for one in item.items
        ],
        "problems": [problem.problem for problem in item.problems],
    }


def carried_out_document(part: CarriedOut) -> dict[str, object]:
    """What became of one run's part of a plan."""
    planned, done = part.planned, part.done
    document: dict[str, object] = {"root": to_text(planned.root_path), "run": to_text(planned.run), "batch": None}
    if done is None:
        return {**document, "moved": [], "left_out": [], "problem": part.problem}
    if isinstance(done, Deleted):
        document |= {"moved": [], "deleted": done.paths, "freed_bytes": done.freed_bytes}
    elif done.journal is None:
        document |= {"moved": []}
    else:
        document |= {"batch": done.journal.id, "moved": [item.path for item in done.journal.items]}
    left_out = [{"path": to_text(left.path), "reasons": list(left.reasons)} for left in done.left_out]
    return {**document, "left_out": left_out, "problem": None}


def returned_document(done: Returned) -> dict[str, object]:
    """A batch that was brought back."""
    told = {"stage": done.journal.stage.value, "problems": len(done.problems), "new_run": done.new_run}
    return {"batch": done.journal.id, **told, "withdrawn": done.withdrawn}


def purged_document(one: Purged) -> dict[str, object]:
    """A batch that was deleted for good."""
    return {"batch": one.batch, "files": one.files, "freed_bytes": one.freed_bytes}
