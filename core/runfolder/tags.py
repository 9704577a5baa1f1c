"""What people say of a run: tags, a note, its owner, whether it is a favourite, and by which metric it is best.

It lies in `.waypoint/tags.json` with who said it last and when. Where both homes of a run hold one, the later counts.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.base.direction import Direction
from core.base.errors import CoreError, PlaceError
from core.runfolder.places import log, read_small
from core.runfolder.run_folder import RunFolder
from core.search.folding import fold
from waypoint_resume.atomic import remove_stale, write_atomic
from waypoint_resume.clock import moment_text
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.rules import Rule, bool_value, moment_value, not_allowed, one_of, text_of, version_value
from waypoint_resume.spec import find_problems, read_document

NAME = "tags.json"
MOST_TAGS, MOST_NAME, MOST_NOTE = 100, 100, 20_000  # characters, but for the number of tags
_LIMIT = 1 << 20
_ONE_LINE = f"at most {MOST_NAME} printable characters"
_TAG = f"1 to {MOST_NAME} printable characters without blanks and quotes, the first no + or -"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenMetric:
    """The metric by which checkpoints of a run are better or worse, in place of a guess."""

    name: str
    mode: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTags:
    """What was said of a run; texts are '' where nothing was. `at` is ISO 8601 in UTC."""

    tags: tuple[str, ...] = ()
    note: str = ""
    owner: str = ""
    favourite: bool = False
    best_metric: ChosenMetric | None = None
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """What is to be said otherwise; None leaves a thing as it is. `guess_best` takes `best_metric` back."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    note: str | None = None
    owner: str | None = None
    favourite: bool | None = None
    best_metric: ChosenMetric | None = None
    guess_best: bool = False

    def applied(self, tags: RunTags) -> RunTags:
        """What is said after the change. A tag is there once, however it is written."""
        gone = {fold(tag) for tag in self.remove}
        kept = {fold(tag): tag for tag in tags.tags if fold(tag) not in gone}
        for tag in self.add:
            kept.setdefault(fold(tag), tag)
        said = {name: getattr(self, name) for name in ("note", "owner", "favourite", "best_metric")}
        if self.guess_best:
            tags = replace(tags, best_metric=None)
        return replace(tags, tags=tuple(kept.values()), **{k: v for k, v in said.items() if v is not None})


def undoing(before: RunTags, after: RunTags) -> TagChange:
    """The change that takes back what lies between; what others say meanwhile of other things stays."""
    return TagChange(
        add=tuple(tag for tag in before.tags if tag not in after.tags),
        remove=tuple(tag for tag in after.tags if tag not in before.tags),
        note=before.note if before.note != after.note else None,
        owner=before.owner if before.owner != after.owner else None,
        favourite=before.favourite if before.favourite != after.favourite else None,
        best_metric=before.best_metric if before.best_metric != after.best_metric else None,
        guess_best=before.best_metric is None and after.best_metric is not None,
    )


def read_tags(run_folder: RunFolder) -> RunTags:
    """What was said of a run. CoreError, naming the file, where one is there and cannot be understood."""
    found = [tags for home in run_folder.homes if (tags := _load(home)) is not None]
    return max(found, key=lambda tags: tags.at, default=RunTags())


def change_tags(run_folder: RunFolder, change: TagChange, *, actor: str, now: datetime) -> tuple[RunTags, RunTags]:
    """Say something otherwise; returns what was said before and what is said now.

    CoreError where it is no tag, note, owner or metric, or what is there cannot be understood: nothing is written then.
    """
    with run_folder.locked() as home:
        before = read_tags(run_folder)
        after = replace(change.applied(before), by=actor, at=moment_text(now))
        if _said(after) == _said(before):
            return before, before
        _check(after)
        old, new = _said(before), _said(after)
        about = {name: {"from": old[name], "to": new[name]} for name in new if old[name] != new[name]}
        log(home, actor=actor, event="tag", now=now, about=about)
        _store(home, after)
    return before, after


def _said(tags: RunTags) -> dict[str, Any]:
    return {name: value for name, value in asdict(tags).items() if name not in ("by", "at")}


def _text_rule(is_fine: Callable[[str], bool], allowed: str) -> Rule:
    return Rule(
        lambda value: None if isinstance(value, str) and is_fine(value) else not_allowed(value, allowed),
        {"type": "string"},
    )


def _is_tag(text: str) -> bool:
    is_word = text.isprintable() and not any(letter.isspace() or letter == '"' for letter in text)
    return is_word and 0 < len(text) <= MOST_NAME and text[0] not in "+-" and bool(fold(text))


def _is_note(text: str) -> bool:
    return len(text) <= MOST_NOTE and all(letter.isprintable() or letter in "\n\t" for letter in text)


_line = _text_rule(lambda text: text.isprintable() and len(text) <= MOST_NAME, _ONE_LINE)
_SPEC = {
    "version": version_value,
    "tags": [_text_rule(_is_tag, _TAG)],
    "note": _text_rule(_is_note, f"text of at most {MOST_NOTE:,} characters"),
    "owner": _line,
    "favourite": bool_value,
    "best_metric": ({"name": text_of(1, 1_000), "mode": one_of(*Direction)},),
    "by": text_of(),
    "at": moment_value,
}


def _check(tags: RunTags) -> None:
    if problems := list(_problems(_said_by(tags))):
        raise CoreError(f"Nothing was changed: {'; '.join(problems)}.")


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    yield from map(str, find_problems(document, _SPEC))
    if len(document["tags"]) > MOST_TAGS:
        yield f"{len(document['tags']):,} tags; allowed: at most {MOST_TAGS}"


def _load(home: Path) -> RunTags | None:
    place = home / HIDDEN / NAME
    try:
        document, problems = read_document(read_small(place, _LIMIT), _LIMIT, _SPEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, PlaceError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CoreError(_misunderstood(place, reason)) from error
    if told := [*map(str, problems)] or [*_problems(document)]:
        raise CoreError(_misunderstood(place, "; ".join(told[:3])))
    best = document["best_metric"]
    values = {field.name: document[field.name] for field in fields(RunTags)}
    values["tags"] = TagChange(add=tuple(document["tags"])).applied(RunTags()).tags
    values["best_metric"] = None if best is None else ChosenMetric(name=best["name"], mode=Direction(best["mode"]))
    return RunTags(**values)


def _misunderstood(place: Path, reason: str) -> str:
    return f"{to_text(str(place))} cannot be understood: {reason}. Mend it, or move it away."


def _said_by(tags: RunTags) -> dict[str, Any]:
    return {"version": 1, **asdict(tags), "tags": list(tags.tags)}


def _store(home: Path, tags: RunTags) -> None:
    target = home / HIDDEN / NAME
    remove_stale(target)
    write_atomic(target, json.dumps(_said_by(tags), indent=2, ensure_ascii=True).encode() + b"\n")
