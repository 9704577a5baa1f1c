"""Checkpoints and findings as rows."""

from core.base.facts import Facts
from core.base.records import Checkpoint, Finding
from core.catalog.rows import bounded, encode, files_to_json, folder_of, to_us
from core.search.folding import fold
from waypoint_resume.names import to_text


def _facts_to_json(facts: Facts) -> list[object]:
    """Facts as an array, in Facts' field order but for the contents, which are a column."""
    problem = facts.problem
    return [
        facts.contents_reason,
        facts.has_optimizer,
        facts.has_architecture,
        facts.step,
        facts.step_reason,
        facts.epoch,
        facts.save_counter,
        None if facts.saved_at is None else to_us(facts.saved_at),
        facts.variables,
        facts.parameters,
        facts.role_bytes,
        facts.fingerprint,
        [(shard[0], to_text(shard[1]), *shard[2:]) for shard in facts.shards],
        facts.committed,
        None if problem is None else (problem.kind, to_text(problem.file), problem.detail),
        facts.mismatch,
        facts.writer,
        [(to_text(name), to_text(packed)) for name, packed in facts.packed],
    ]


def checkpoint_to_row(item: Checkpoint) -> dict[str, object]:
    """A row of `checkpoints`, without its id."""
    facts = item.facts
    detail: dict[str, object] = {"files": files_to_json(item.files), "facts": _facts_to_json(facts)}
    if item.metric is not None:
        detail["metric"] = item.metric
    return {
        "root": item.root,
        "run": to_text(item.run),
        "path": to_text(item.path),
        "folder": to_text(item.folder),
        "series": item.series,
        "stem": to_text(item.stem),
        "fingerprint": facts.fingerprint,
        "format": item.format.value,
        "contents": facts.contents.value,
        "has_optimizer": facts.has_optimizer,
        "step": bounded(facts.step.value if facts.step else None),
        "epoch": bounded(facts.epoch.value if facts.epoch else None),
        "save_counter": bounded(facts.save_counter.value if facts.save_counter else None),
        "saved_at_us": to_us(item.saved_at),
        "saved_at_source": item.saved_at_source.value,
        "bytes": bounded(item.bytes),
        "file_count": len(item.files),
        "variables": bounded(facts.variables),
        "parameters": bounded(facts.parameters),
        "restorable": item.restorable,
        "health": item.health.value,
        "series_order": item.series_order,
        "attempt": item.attempt,
        "is_latest": item.is_latest,
        "is_latest_restorable": item.is_latest_restorable,
        "read_by": item.read_by,
        "detail": encode(detail),
        "folded": _folded(to_text(item.path)),
    }


def _folded(path: str) -> str | None:
    """A path as it is compared; None where the database can tell it."""
    return None if path.isascii() and fold(path) == path.lower() else fold(path)


def finding_to_row(root: str, run: str, item: Finding) -> dict[str, object]:
    """A row of `findings`, without its id."""
    return {
        "root": root,
        "run": to_text(run),
        "path": to_text(item.path),
        "folder": to_text(folder_of(item.path, run)),
        "rule": item.rule,
        "severity": item.severity.value,
        "reason": item.reason,
        "action": item.action,
        "accepted": item.accepted,
    }
