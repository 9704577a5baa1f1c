"""A plan as JSON, version 1. docs/storage.md describes it."""

from core.retention.planned import Item, Plan, PlannedFile, RunPlan, Stay, freed
from waypoint_resume.clock import moment_text
from waypoint_resume.names import to_text

VERSION = 1


def plan_document(plan: Plan) -> dict[str, object]:
    """A plan with every file. Sizes are bytes; paths are text, files' and checkpoints' relative to their run."""
    return {
        "version": VERSION,
        "made_at": moment_text(plan.made_at),
        "bytes": plan.bytes,
        "freed_bytes": plan.freed_bytes,
        "runs": [_run(run) for run in plan.runs],
    }


def _run(run: RunPlan) -> dict[str, object]:
    return {
        "root": to_text(run.root_path),
        "run": to_text(run.run),
        "live": run.is_live,
        "emptied": run.emptied,
        **({"needs_word": True} if run.needs_word else {}),
        "goes": [_item(run, item) for item in run.items],
        "stays": [_stay(item) for item in run.stays],
    }


def _item(run: RunPlan, item: Item) -> dict[str, object]:
    return {
        "kind": item.kind.value,
        "path": to_text(item.path),
        "format": None if item.format is None else item.format.value,
        "reason": item.reason,
        "bytes": item.bytes,
        "freed_bytes": freed((run.folder, file) for file in item.files),
        "files": [_file(file) for file in item.files],
    }


def _file(file: PlannedFile) -> dict[str, object]:
    return {**file._asdict(), "path": to_text(file.path)}


def _stay(item: Stay) -> dict[str, object]:
    return {
        "kind": item.kind.value,
        "path": to_text(item.path),
        "format": None if item.format is None else item.format.value,
        "bytes": item.bytes,
        "protected": item.is_protected,
        "reasons": list(item.reasons),
    }
