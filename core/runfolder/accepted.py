"""Findings that people accepted: they are so on purpose. Kept in `.waypoint/accepted.json` with who, when and why.

An acceptance holds for the files that the finding was about: when one of them changes, the finding is back.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.base.errors import CoreError, NotFoundError, PlaceError
from core.runfolder.places import log, read_small, relative_to_run
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import write_atomic
from waypoint_resume.clock import moment_text
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN

NAME = "accepted.json"
VERSION = 1
_LIMIT = 4 << 20
_NAMED = 3  # findings in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One accepted finding: its rule, its path relative to the run as text ('.' for the run itself), and the state of
    what it was about (`core.health.subject`).
    """

    rule: str
    path: str
    identity: str
    note: str
    by: str
    at: str


def read(run_folder: RunFolder) -> tuple[Accepted, ...]:
    """What was accepted in a run. CoreError where a file is there and cannot be understood."""
    found: dict[tuple[str, str], Accepted] = {}
    for home in run_folder.homes:
        found |= {(item.rule, item.path): item for item in _load(home)}
    return tuple(found.values())


def accept(run_folder: RunFolder, items: Iterable[Accepted], *, now: datetime, actor: str) -> None:
    """Accept findings; one that is accepted already gets the new note."""
    items = tuple(items)
    with run_folder.locked() as home:
        kept = {(item.rule, item.path): item for item in _load(home)}
        kept |= {(item.rule, item.path): item for item in items}
        about = {"findings": [[item.rule, item.path] for item in items]}
        log(home, actor=actor, event="accept findings", now=now, about=about)
        _store(home, kept)


def withdraw(
    run_folder: RunFolder,
    findings: Collection[tuple[str, str]],
    *,
    now: datetime,
    actor: str,
) -> tuple[Accepted, ...]:
    """Undo acceptances, named by rule and path; returns those that there were. NotFoundError where there is none."""
    gone: dict[tuple[str, str], Accepted] = {}
    with run_folder.locked() as home:
        for place in dict.fromkeys((home, run_folder.folder)):
            kept = {(item.rule, item.path): item for item in _load(place)}
            found = {key: kept.pop(key) for key in findings if key in kept}
            if found:
                about = {"findings": [list(key) for key in found]}
                log(home, actor=actor, event="withdraw acceptance", now=now, about=about)
                _store(place, kept)
                gone |= found
    if not gone:
        named = ", ".join(f"{rule} about {path}" for rule, path in [*findings][:_NAMED])
        raise NotFoundError(f"The finding {named} is not accepted.")
    return tuple(gone.values())


def new(rule: str, path: str, run: str, subject: str, *, note: str, actor: str, now: datetime) -> Accepted:
    """An acceptance of now; `path` and `run` relative to the root, `subject` the state of what the finding is about."""
    return Accepted(
        rule=rule,
        path=to_text(relative_to_run(path, run)),
        identity=subject,
        note=note.strip().encode("utf-8", "backslashreplace").decode(),
        by=actor,
        at=moment_text(now),
    )


def _load(home: Path) -> list[Accepted]:
    place = home / HIDDEN / NAME
    try:
        return _parse(json.loads(read_small(place, _LIMIT)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, PlaceError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise CoreError(f"{to_text(str(place))} cannot be understood ({error}). Mend it, or move it away.") from error


def _parse(document: Any) -> list[Accepted]:  # noqa: ANN401 (JSON)
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']!r}")
    return [Accepted(**{name: _text(item, name) for name in Accepted.__slots__}) for item in document["accepted"]]


def _text(item: Mapping[str, object], name: str) -> str:
    value = item[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} of an accepted finding is {value!r}, not text")
    return value


def _store(home: Path, kept: Mapping[tuple[str, str], Accepted]) -> None:
    document = {"version": VERSION, "accepted": [asdict(item) for item in kept.values()]}
    data = json.dumps(document, indent=2, ensure_ascii=True).encode() + b"\n"
    if len(data) > _LIMIT:  # what cannot be read again would stand for nothing
        raise CoreError(f"{len(kept):,} accepted findings are more than {NAME} takes: nothing was accepted.")
    write_atomic(home / HIDDEN / NAME, data)
