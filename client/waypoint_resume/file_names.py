"""What a checkpoint's name says: its step, epoch and metric where a word tells, and numbers that may mean anything.

Nothing of a name is certain. A number without a word is never a step by itself: whoever knows the whole series, its
times and its steps decides. The words are a table in `name_words`, dates are found by `moments`.
"""

from __future__ import annotations

import functools
import math
import re
from datetime import datetime
from typing import Union

from waypoint_resume.moments import Moment, moments_in
from waypoint_resume.name_counts import GROUPED, behind, by_underscores, digits
from waypoint_resume.name_parts import FileName, Number, Role
from waypoint_resume.name_words import GENERIC, Meaning, meaning_of, metric_name

_LARGEST = 1_000_000_000  # from here on a number is a time or a hash
_LONGEST = 18  # digits
_FORMATS = re.compile(r"(?:\.weights\.h5|\.weights\.json|\.keras|\.h5|\.hdf5)(?:\.bkp)?$")
_ENDINGS = re.compile(r"(?:\.(?:weights\.h5|weights\.json|keras|h5|hdf5|ckpt|tf|bkp))+$")
_COPY = re.compile(r"(?: ?\(\d+\)|[-_ ]+copy(?:[-_ ]?\(?\d+\)?)?)$", re.IGNORECASE)
# Sizes (`224x224`), identifiers (a UUID) and versions of three parts: never counts.
_OPAQUE = re.compile(
    r"(?<![\dA-Za-z])\d+(?:x\d+)+(?!\d)|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![\d.])\d+(?:\.\d+){2,}"
    # A hash: letters and digits by turns, and not as in `f1e010` or `e03b0040`.
    r"|(?<![\dA-Za-z])(?=[0-9bef]*[acd])(?=[a-f\d]{6,}(?![\dA-Za-z]))[a-f]*\d+[a-f]+\d+[a-f]+[a-f\d]*"
)
# What begins with a zero has no fraction: the 10 of `weights0115.10-0.31` is a number of its own.
_NUMBER = re.compile(rf"(?:{GROUPED}|0\d+|\d+(?:\.\d+)?(?:[eE][-+]?\d{{1,3}}(?![A-Za-z\d]))?)")
_THEN_VALUE = re.compile(r"[-_]\d+\.\d+$")
_LETTERS = re.compile(r"[A-Za-z]+")
_OF_TOTAL = re.compile(r"[-_ ]of[-_ ]\d+(?!\d)", re.IGNORECASE)
_F1 = re.compile(r"(?<![A-Za-z])([fF])1(?=[-_=: ])")  # a metric whose name ends in a digit
_TWO_NUMBERS = re.compile(r"\d{4}[-_]\d{1,3}")
_SAVES = (Role.EPOCH, Role.STEP, Role.SAVE)
_OF_SAVES = frozenset(
    {"checkpoint", "checkpoints", "ckpt", "chkpt", "snapshot", "snap", "save"}
)  # none of one's members
_SHARD = re.compile(r"\d{5}")


@functools.lru_cache(maxsize=65536)
def read_name(name: str) -> FileName:
    """Read the last component of a checkpoint's path; an ending such as `.weights.h5` may stand or not."""
    base = _ENDINGS.sub("", name)
    ending = _FORMATS.sub("", name)[len(base) :]  # what is no format's: `cp.ckpt` is not `cp`
    copy = _COPY.search(base)
    if copy is not None:
        base, ending = base[: copy.start()], copy[0] + ending
    reader = _Reader(base)
    metrics = [one for one in reader.metrics if math.isfinite(one[1])]
    of_validation = (one for one in metrics if one[0].startswith("val_"))
    return FileName(
        parts=(*reader.parts, *([ending] if ending else [])),
        numbers=tuple(reader.numbers),
        metric=next(of_validation, metrics[0] if metrics else None),
        by_metric=reader.by_metric,
        fractions=tuple(reader.fractions),
    )


@functools.lru_cache(maxsize=65536)
def read_place(folder: str, name: str) -> FileName:
    """Read a name with its folder's (the last component of its path), where that is one save's: a word says
    that its only number counts, as in `checkpoint_000003/model.keras`.
    """
    above, found = read_name(folder), read_name(name)
    if [number.role in _SAVES for number in above.numbers] != [True] or not _is_save(above):
        return found
    parts = (part if isinstance(part, str) else part + 1 for part in found.parts)
    return found._replace(
        parts=(*above.parts, "/", *parts),
        numbers=(*above.numbers, *found.numbers),
        fractions=tuple((place + len(above.parts) + 1, text) for place, text in found.fractions),
        of_folder=1,
    )


def _is_save(folder: FileName) -> bool:
    words = {word.lower() for part in folder.parts if isinstance(part, str) for word in _LETTERS.findall(part)}
    return folder.numbers[0].role is not Role.SAVE or not words.isdisjoint(_OF_SAVES)


class _Reader:
    """Goes through a name from left to right: dates, sizes and identifiers first, then what stands between them."""

    def __init__(self, base: str) -> None:
        self.parts: list[Union[str, int]] = []  # noqa: UP007
        self.numbers: list[Number] = []
        self.metrics: list[tuple[str, float]] = []
        self.by_metric = False
        self.fractions: list[tuple[int, str]] = []
        self._counted = -1  # where the last number of `numbers` ends, with its suffix
        spans: list[tuple[int, int, Moment | None]] = [
            (moment.start, moment.end, moment) for moment in moments_in(base) if not _is_counted(base, moment)
        ]
        for match in _OPAQUE.finditer(base):
            if all(match.end() <= start or end <= match.start() for start, end, _ in spans):
                spans.append((*match.span(), None))
        done = 0
        for start, end, moment in sorted(spans, key=lambda span: span[:2]):
            self._between(base, done, start)
            if moment is None:
                self.parts.append(base[start:end])
            else:
                self._keep(Role.MOMENT, moment.value, base[start:end])
            done = end
        self._between(base, done, len(base))

    def _keep(self, role: Role, value: int | datetime | None, text: str) -> None:
        self.parts.append(len(self.numbers))
        self.numbers.append(Number(role, value, text))

    def _count(self, role: Role, value: int, left: str, text: str) -> None:
        """Keep a number with its sign, which is none of the separators: `epoch=-1` goes before `epoch=0`."""
        signed = _signed(left, text)
        if signed != text:
            self.parts[-1] = str(self.parts[-1])[:-1]
            value = -value
        self._keep(role, value, signed)

    def _between(self, base: str, start: int, end: int) -> None:
        chunk = base[start:end]
        words = _F1.sub(r"\1i", chunk)
        done = 0
        for match in _NUMBER.finditer(words):
            if match.start() < done:
                continue
            self.parts.append(chunk[done : match.start()])
            done = self._number(chunk, words[done : match.start()], match)
        if done < len(chunk):
            self.parts.append(chunk[done:])

    def _number(self, chunk: str, left: str, match: re.Match[str]) -> int:
        """Take one number; `left` is what stands between the one before and it. Returns where the next part begins."""
        before = _LETTERS.findall(left)
        meaning = meaning_of(before)
        is_attached = left[-1:].isalpha()
        grouped = by_underscores(chunk, match.start()) if meaning is Meaning.STEP else None
        text, end = digits((grouped or match)[0]), (grouped or match).end()
        if not text.isdigit():
            return self._fraction(chunk, left, match, meaning, is_attached=is_attached)
        suffix = (_LETTERS.match(chunk, end) or [""])[0]
        factor, told, after = behind(chunk, end)
        is_open = meaning in (None, Meaning.SIZE)
        if is_open and told is not None and (factor == 1 or not is_attached):
            meaning, end = told, after
        elif factor != 1 and not (is_attached and is_open):
            end = after
        elif is_open and suffix:
            self.parts.append(chunk[match.start() : end + len(suffix)])
            return end + len(suffix)
        value = int(text) * (factor if end == after else 1) if len(text) <= _LONGEST else _LARGEST
        total = _OF_TOTAL.match(chunk, end)
        is_shard = total is not None and meaning is None and _SHARD.fullmatch(text) is not None
        role = _role(meaning, before, is_attached=is_attached)
        if meaning is Meaning.METRIC and not is_attached:
            self.parts.append("#")
            self.metrics.append((metric_name(before), float(_signed(left, text))))
        elif role is None or is_shard:
            self.parts.append(chunk[match.start() : end])
        elif value >= _LARGEST:
            self.parts.append("#")
        else:
            self._count(role, value, left, chunk[match.start() : end])
            self._counted = end
            self.by_metric = False
        if total is None:
            return end
        self.parts.append(total[0])
        return total.end()

    def _fraction(
        self, chunk: str, left: str, match: re.Match[str], meaning: Meaning | None, *, is_attached: bool
    ) -> int:
        """A number with a fraction counts nothing: a measured value, or a setting or version, which stays as it is."""
        text, end = _signed(left, match[0]), match.end()
        follows = self._counted >= 0 and self._counted + len(left) == match.start() and set(left) <= set("-_")
        factor, told, after = behind(chunk, end)
        is_open = meaning in (None, Meaning.SIZE)
        if is_attached and meaning in (None, Meaning.SIZE) and _THEN_VALUE.match(chunk, end):
            whole, _, rest = match[0].partition(".")  # `vgg16.05-0.31`: Keras' pattern behind a name that ends in 16
            self.parts.append(f"{whole}.")
            self._keep(Role.COUNT, int(rest), rest)
            self._counted = end
        elif factor != 1 and (meaning in (Meaning.STEP, Meaning.SAVE) or (is_open and not is_attached)):
            counts = meaning if meaning in (Meaning.STEP, Meaning.SAVE) else told
            role = Role.COUNT if counts is None else Role(counts.value)
            self._keep(role, min(round(float(text) * factor), _LARGEST - 1), chunk[match.start() : after])
            return after
        elif (meaning if not is_open else told) in (Meaning.STEP, Meaning.EPOCH) and (
            whole_number := _whole(text)
        ) is not None:
            counts = told if is_open else meaning
            self._keep(Role.STEP if counts is Meaning.STEP else Role.EPOCH, whole_number, match[0])
            self._counted = end
        elif meaning in (Meaning.PART, Meaning.SETTING, Meaning.SIZE) or (is_attached and meaning is None):
            self.parts.append(match[0])
        elif meaning is Meaning.METRIC:
            self.parts.append("#")
            self.metrics.append((metric_name(_LETTERS.findall(left)), float(text)))
            self.by_metric = True
        else:
            if meaning is None and self._counted < 0:
                self.fractions.append((len(self.parts), match[0]))
            self.parts.append("#")
            if end == len(chunk) and (follows or (text.startswith("-") and meaning in (None, Meaning.SAVE))):
                self.metrics.append(("metric", float(text)))
                self.by_metric = follows
        return end


def _whole(text: str) -> int | None:
    """A whole number that is written with an exponent: `1e5`, `2.5e6`."""
    if "e" not in text.lower():
        return None
    value = float(text)
    return int(value) if 0 <= value < _LARGEST and value.is_integer() else None


def _role(meaning: Meaning | None, before: list[str], *, is_attached: bool) -> Role | None:
    """What the number is taken for; None for a part of the name."""
    if meaning in (Meaning.EPOCH, Meaning.STEP, Meaning.BATCH, Meaning.SAVE):
        return Role(meaning.value)
    if meaning is Meaning.SIZE and not is_attached:
        return Role.SIZE
    if meaning is not None:
        return None
    return Role.COUNT if not is_attached or (before and before[-1].lower() in GENERIC) else None


def _signed(left: str, text: str) -> str:
    """A minus sign is one behind another separator: `loss=-3`, `04--0.31`, `checkpoint_-0.1963`."""
    return f"-{text}" if re.search(r"[-_=: ]-$", left) else text


def _is_counted(base: str, moment: Moment) -> bool:
    """Whether a word in front says that these digits, which may be a date, count: `step-20240101`, `iter_2024-032`."""
    digits = base[moment.start : moment.end]
    is_number = digits.isdigit() and len(digits) <= _LONGEST and int(digits) < _LARGEST
    if not is_number and _TWO_NUMBERS.fullmatch(digits) is None:
        return False
    left = re.search(r"[A-Za-z_\- ]*[-_=.: ]?$", base[: moment.start])
    return meaning_of(_LETTERS.findall(left[0] if left else "")) in (Meaning.STEP, Meaning.EPOCH)
