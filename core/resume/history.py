"""What became of the manifests of a run. States are derived, never written into them.

pending: nobody took it. claimed: a job did (`.waypoint/claims/<id>.claim`). finished: the claim has a `finished_at`.
withdrawn: a person took it back (`.waypoint/withdrawn/<id>.json`), a claimed one by naming its claim, so that whoever
takes it over meanwhile keeps it. superseded: another one replaced it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.base.errors import PlaceError
from core.base.files import Problem
from core.resume.errors import ManifestError
from core.resume.manifest import Manifest, parse, to_json
from core.resume.write import FORMER
from core.runfolder.places import read_small
from core.runfolder.run_folder import RunFolder
from waypoint_resume.claim import CLAIMS
from waypoint_resume.claim_record import Claim, is_withdrawn, read_claim
from waypoint_resume.handed_over import rebased_path
from waypoint_resume.manifest import LIMIT
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN, MANIFEST

WITHDRAWN = "withdrawn"
_SMALL = 1024 * 1024


class ManifestState(StrEnum):
    """What became of a manifest."""

    PENDING = "pending"
    CLAIMED = "claimed"
    FINISHED = "finished"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


UNFINISHED = frozenset({ManifestState.PENDING, ManifestState.CLAIMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One manifest, where its file lies and what became of it.

    `claim` is None where no job took it; `withdrawal` is its record as it was read, {} for one that cannot be read.
    `is_current` tells whether it still stands in its place; a claimed one that was replaced is superseded.
    """

    manifest: Manifest
    path: Path
    state: ManifestState
    is_current: bool
    claim: Claim | None = None
    withdrawal: Mapping[str, Any] | None = None

    @property
    def needs_checkpoint(self) -> bool:
        """Whether a job may still restore what it names: pending, or claimed (even if replaced) and unfinished."""
        if self.state is ManifestState.SUPERSEDED:
            return self.claim is not None
        return self.state in UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """The manifests of a run, newest first, and files among them that could not be read."""

    entries: tuple[ManifestEntry, ...] = ()
    problems: tuple[Problem, ...] = ()


def may_hold_manifests(home: Path) -> bool:
    """Whether a folder is worth reading for manifests: two looks instead of a dozen, for lists of many runs."""
    return (home / MANIFEST).exists() or (home / HIDDEN).exists()


def read_manifests(run_folder: RunFolder) -> Manifests:
    """Every manifest of a run.

    Never raises for what lies there: a file that cannot be read is a problem, with its path below its home.
    """
    homes, run = run_folder.homes, run_folder.folder
    problems: list[Problem] = []
    entries = _entries(homes, homes, run, problems)
    for base in run_folder.former_homes:
        entries |= _entries([base], [base, *homes], run, problems, base)
    ordered = sorted(entries.values(), key=lambda entry: (entry.is_current, entry.manifest.id), reverse=True)
    return Manifests(entries=tuple(ordered), problems=tuple(problems))


def _entries(
    homes: Sequence[Path], records: Sequence[Path], run: Path, problems: list[Problem], base: Path | None = None
) -> dict[str, ManifestEntry]:
    """What lies in some homes. Those of `base`, a folder below the run that counted as a run before a job named this
    one, get their paths relative to the run.
    """
    # What stands in place is read first: if it is replaced meanwhile, its kept twin is met again and left out.
    current = [found for home in homes if (found := _read(home, home / MANIFEST, problems))]
    former = [found for home in homes for path in _kept(home, problems) if (found := _read(home, path, problems))]
    newest = max((manifest.id for _, manifest in current), default="")
    entries: dict[str, ManifestEntry] = {}
    for path, manifest in (*current, *former):
        is_current = manifest.id == newest and path.name == MANIFEST
        key = to_json(manifest)
        if key not in entries:
            entry = _entry(records, path, manifest, is_current=is_current, problems=problems)
            entries[key] = entry if base is None else replace(entry, manifest=_rebased(manifest, base, run))
    return entries


def _rebased(manifest: Manifest, base: Path, run: Path) -> Manifest:
    """A manifest with its paths relative to the run, which lies above the folder it was written in."""
    picked = manifest.checkpoint
    files = tuple(
        file.model_copy(update={"path": rebased_path(file.path, base, run) or file.path}) for file in picked.files
    )
    moved = {"path": rebased_path(picked.path, base, run) or picked.path, "files": files}
    return manifest.model_copy(update={"checkpoint": picked.model_copy(update=moved)})


def _entry(
    homes: Sequence[Path], path: Path, manifest: Manifest, *, is_current: bool, problems: list[Problem]
) -> ManifestEntry:
    claimed = _record(homes, f"{CLAIMS}/{manifest.id}.claim", problems)
    claim = None if claimed is None else read_claim(claimed)
    withdrawal = _record(homes, f"{WITHDRAWN}/{manifest.id}.json", problems)
    if claim is not None and claim.is_finished:
        state = ManifestState.FINISHED
    elif is_withdrawn(withdrawal, claim):
        state = ManifestState.WITHDRAWN
    elif claim is not None and is_current:
        state = ManifestState.CLAIMED
    else:
        state = ManifestState.PENDING if is_current else ManifestState.SUPERSEDED
    return ManifestEntry(
        manifest=manifest, path=path, state=state, is_current=is_current, claim=claim, withdrawal=withdrawal
    )


def _kept(home: Path, problems: list[Problem]) -> Iterator[Path]:
    folder = home / HIDDEN / FORMER
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        problems.append(_problem(home, folder, error))
        return
    yield from (folder / name for name in names if name.endswith(".json"))


def _read(home: Path, path: Path, problems: list[Problem]) -> tuple[Path, Manifest] | None:
    try:
        return path, parse(read_small(path, LIMIT))
    except FileNotFoundError:
        return None
    except (OSError, PlaceError, ManifestError) as error:
        problems.append(_problem(home, path, error))
        return None


def _record(homes: Sequence[Path], name: str, problems: list[Problem]) -> Mapping[str, Any] | None:
    """A claim or a withdrawal. That it is there counts, even if it cannot be read: then it is empty."""
    for home in homes:
        path = home / HIDDEN / name
        try:
            value = json.loads(read_small(path, _SMALL))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, PlaceError, ValueError, RecursionError) as error:
            problems.append(_problem(home, path, error))
            return {}
        return value if isinstance(value, dict) else {}
    return None


def _problem(home: Path, path: Path, error: Exception) -> Problem:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Problem(path=to_text(path.relative_to(home).as_posix()), problem=reason)
