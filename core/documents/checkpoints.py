"""Checkpoints as JSON: the answers of `ls` and `latest`. Sizes are bytes, paths relative to the root."""

from collections.abc import Mapping

from core.base.facts import Sourced
from core.base.records import Checkpoint
from core.documents.sweeps import trial_result_document
from core.runs.choice import SeriesChoice
from core.services.sweeps import TrialResult
from waypoint_resume.names import to_text


def checkpoint_document(item: Checkpoint, root_path: str) -> dict[str, object]:
    """A checkpoint."""
    facts = item.facts
    return {
        "root": to_text(root_path),
        "run": to_text(item.run),
        "path": to_text(item.path),
        "series": item.series,
        "format": item.format.value,
        "contents": facts.contents.value,
        "has_optimizer": facts.has_optimizer,
        "step": _value(facts.step),
        "step_source": None if facts.step is None else facts.step.source,
        "epoch": _value(facts.epoch),
        "save_counter": _value(facts.save_counter),
        "saved_at": item.saved_at.isoformat().replace("+00:00", "Z"),
        "saved_at_source": item.saved_at_source.value,
        "bytes": item.bytes,
        "files": len(item.files),
        "variables": facts.variables,
        "parameters": facts.parameters,
        "bytes_by_role": facts.role_bytes._asdict(),
        "restorable": item.restorable,
        "health": item.health.value,
        "findings": sorted({finding.rule for finding in item.findings}),
    }


def listed_document(
    item: Checkpoint, root_path: str, trials: Mapping[tuple[str, str], TrialResult]
) -> dict[str, object]:
    """One element of the answer of `ls`, with the sweep's trial that the run is; null where it is none."""
    found = trials.get((item.root, item.run))
    trial = None if found is None else trial_result_document(found)
    return {**checkpoint_document(item, root_path), "trial": trial}


def choice_document(choice: SeriesChoice, root_path: str) -> dict[str, object]:
    """One element of the answer of `latest`."""
    return {
        "root": to_text(root_path),
        "run": to_text(choice.latest.run),
        "series": choice.id,
        "checkpoint": None if choice.chosen is None else checkpoint_document(choice.chosen, root_path),
        "passed_over": [
            {"path": to_text(item.checkpoint.path), "reasons": list(item.reasons)} for item in choice.passed_over
        ],
        "tensorflow_latest": None if choice.tensorflow_latest is None else to_text(choice.tensorflow_latest),
        "tensorflow_error": choice.tensorflow_error,
    }


def _value(number: Sourced | None) -> int | None:
    return None if number is None else number.value
