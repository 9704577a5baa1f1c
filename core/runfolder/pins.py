"""Pins: checkpoints that people want to keep. They lie in `.waypoint/pins.json` with who, when and why.

A pin names a checkpoint by its path relative to the run and by its format. Where a file of pins cannot be understood,
nobody knows what it says, so that everything counts as pinned.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.base.errors import CoreError, NotFoundError, PlaceError
from core.base.facts import Format
from core.base.files import Problem
from core.runfolder.places import locked, log, read_small
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import remove_stale, write_atomic
from waypoint_resume.clock import moment_text
from waypoint_resume.handed_over import rebased_path
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.rules import moment_value, place
from waypoint_resume.spec import load_json

NAME = "pins.json"
VERSION = 1
MAX_NOTE = 20_000  # characters
_LIMIT = 4 << 20
_FIELDS = frozenset({"path", "format", "note", "by", "at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One pinned checkpoint: its path relative to the run as text ('.' for the run's folder itself); `at` is ISO 8601
    in UTC.
    """

    path: str
    format: Format
    note: str
    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """The pins of a run, and the files of pins that cannot be understood."""

    pins: tuple[Pin, ...] = ()
    problems: tuple[Problem, ...] = ()

    def why(self, path: str, form: Format | None) -> str | None:
        """Why a checkpoint counts as pinned; None if it does not. `path` is text, relative to the run; without a format
        (files that belong to no checkpoint) a pin of any format counts.
        """
        if self.problems:
            first = self.problems[0]
            return f"pins cannot be read, so that everything counts as pinned ({first.path}: {first.problem})"
        for pin in self.pins:
            if pin.path == path and form in (None, pin.format):
                return f"pinned by {pin.by}: {pin.note}" if pin.note else f"pinned by {pin.by}"
        return None


def read_pins(run_folder: RunFolder) -> Pins:
    """The pins of a run in all of its homes, by path. Never raises for what lies there."""
    found: dict[tuple[str, Format], Pin] = {}
    problems: list[Problem] = []
    for home in (*run_folder.homes, *run_folder.former_homes):
        try:
            kept = _load(home).values()
        except CoreError as error:
            problems.append(Problem(path=f"{HIDDEN}/{NAME}", problem=str(error)))
            continue
        for one in kept:
            path = (
                one.path
                if home == run_folder.decisions
                else rebased_path(one.path, home, run_folder.folder) or one.path
            )
            found[path, one.format] = replace(one, path=path)
    return Pins(pins=tuple(found[key] for key in sorted(found)), problems=tuple(problems))


def pin(
    run_folder: RunFolder,
    path: str,
    form: Format,
    *,
    actor: str,
    now: datetime,
    note: str = "",
) -> Pin:
    """Pin a checkpoint; `path` is relative to the run as text. One that is pinned already gets the new note.

    CoreError where the pins that are there cannot be understood: they are never written over.
    """
    made = Pin(path=path, format=form, note=_note(note), by=actor, at=moment_text(now))
    _checked(asdict(made))
    with run_folder.locked() as home:
        kept = _load(home)
        log(home, actor=actor, event="pin", now=now, about={"checkpoint": path, "format": form, "note": made.note})
        _store(home, {**kept, (path, form): made})
    return made


def unpin(run_folder: RunFolder, path: str, form: Format, *, actor: str, now: datetime) -> Pin:
    """Undo a pin, in every home that holds it; the pin is returned. NotFoundError where there is none."""
    gone: Pin | None = None
    for home in (*run_folder.homes, *run_folder.former_homes):
        name = path if home == run_folder.decisions else rebased_path(path, run_folder.folder, home)
        if name is None or (name, form) not in _load(home):
            continue
        with locked(home):
            kept = _load(home)
            gone = kept.pop((name, form), gone)
            log(home, actor=actor, event="unpin", now=now, about={"checkpoint": path, "format": form})
            _store(home, kept)
    if gone is None:
        raise NotFoundError(f"{path} ({form}) is not pinned.")
    return gone


def _note(text: str) -> str:
    note = text.strip().encode("utf-8", "backslashreplace").decode()
    if len(note) > MAX_NOTE:
        raise CoreError(f"The note has {len(note):,} characters; allowed: at most {MAX_NOTE:,}.")
    return note


def _load(home: Path) -> dict[tuple[str, Format], Pin]:
    """A home's pins by path and format. CoreError, naming the file, where they cannot be understood."""
    place = home / HIDDEN / NAME
    try:
        pins = _parsed(read_small(place, _LIMIT))
    except FileNotFoundError:
        return {}
    except (OSError, PlaceError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CoreError(f"{to_text(str(place))} cannot be understood: {reason}. Mend it, or move it away.") from error
    return {(item.path, item.format): item for item in pins}


def _parsed(data: bytes) -> list[Pin]:
    document, problems = load_json(data, _LIMIT)
    if document is None or problems:
        raise ValueError(problems[0].problem)
    if document.keys() != {"version", "pins"} or document["version"] != VERSION or document["version"] is True:
        raise ValueError(f"no document of version {VERSION} with nothing but pins")
    return [_checked(item) for item in document["pins"]]


def _checked(item: Mapping[str, Any]) -> Pin:
    """A pin from its JSON object; ValueError for anything else."""
    is_plain = isinstance(item, dict) and item.keys() == _FIELDS
    if not is_plain or not all(isinstance(value, str) for value in item.values()):
        raise ValueError(f"a pin has {', '.join(sorted(_FIELDS))}, each a text")
    place(item["path"])
    if (problem := moment_value(item["at"])) is not None:
        raise ValueError(problem)
    return Pin(**{**item, "format": Format(item["format"])})


def _store(home: Path, pins: Mapping[tuple[str, Format], Pin]) -> None:
    target = home / HIDDEN / NAME
    remove_stale(target)
    document = {"version": VERSION, "pins": [asdict(pins[key]) for key in sorted(pins)]}
    write_atomic(target, json.dumps(document, indent=2, ensure_ascii=True).encode() + b"\n")
