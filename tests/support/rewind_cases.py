"""A run in every form that is to be rewound to its first checkpoint, as the dashboard hands that over."""

import json
from collections.abc import Iterator
from pathlib import Path

from core.resume.propose import propose
from core.resume.write import write_manifest
from tests.support.quarantine_cases import RUN, Case, a_case
from tests.support.resume_cases import NOW, a_run
from tests.support.trees import START_NS, write

PICK = "ckpts/ckpt-1"
BACKUP = ("backup/latest.weights.h5", "backup/training_metadata.json")
SECOND_NS = 1_000_000_000


def to_be_rewound(root: Path) -> Case:
    """ckpt-1 is picked; the plan names all that is numbered 2 or 3, and the backup."""
    case = a_case(root)
    write(case.folder, dict.fromkeys(BACKUP, b"backup"), START_NS)
    hand_over(case)
    return case


def hand_over(case: Case) -> str:
    """Write manifest and plan anew; the manifest's id."""
    checkpoints = case.state().checkpoints
    (pick,) = [item for item in checkpoints if item.path.endswith(PICK)]
    proposal = propose(pick, (pick,), a_run(), NOW)
    accepted = [caution.id for caution in proposal.warnings]
    manifest, path = write_manifest(
        case.run_folder, pick, proposal, actor="ada", note="diverged", accepted=accepted, now=NOW
    )
    path.write_text(json.dumps({**json.loads(path.read_text()), "mode": "rewind"}))
    paths = [item.path.removeprefix(f"{RUN}/") for item in checkpoints]
    items = list(_items(case, paths))
    plan = {
        "version": 1,
        "manifest": manifest.id,
        "since_ns": START_NS + 3 * SECOND_NS,
        "items": items,
        "stays": [path for path in paths if path not in {item["path"] for item in items}],
        "inner": ["inner"],
    }
    place = case.folder / f".waypoint/rewound/{manifest.id}.plan.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(plan))
    return manifest.id


def _items(case: Case, paths: list[str]) -> Iterator[dict[str, object]]:
    forms = {"ckpts": "tf-bundle", "keras": "keras", "export": "saved-model", "orbax": "orbax"}
    for path in sorted(paths):
        if path.startswith(tuple(forms)) and not path.endswith(("1", "1.keras")):
            place = case.folder / path
            inside = place.rglob("*") if place.is_dir() else place.parent.glob(f"{place.name}*")
            files = [file.relative_to(case.folder).as_posix() for file in inside if file.is_file()]
            files.sort(key=lambda name: not name.endswith(".index"))
            form = forms[path.partition("/")[0]]
            yield {"kind": "checkpoint", "path": path, "format": form, "reason": "newer", "files": files}
    if (case.folder / BACKUP[0]).exists():
        told = {"format": "weights-h5", "reason": "BackupAndRestore would load it", "files": list(BACKUP)}
        yield {"kind": "checkpoint", "path": BACKUP[0], **told}
