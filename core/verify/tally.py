"""What the worker counts while it reads, and the messages by which its parent follows it."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from core.base.facts import Format, Role, Variable
from core.verify.results import LISTED, BadRule

WINDOW = 1 << 20  # bytes that are read at once: what was just read is still in the processor's cache
_INTERVAL = 0.1  # seconds between two messages
_LONGEST = 500  # letters of a detail


class NotReadableError(Exception):
    """Something that has nothing to do with the files is in the way; the text says what to do."""


class Job(NamedTuple):
    """What a worker reads: the files' folder (absolute), the checkpoint's name in it ('' for the folder itself), the
    format that its content has, its file names, each variable's role, and the weights that nothing shows to be trained
    with how many values each has.
    """

    folder: str
    name: str
    format: Format
    files: frozenset[str]
    roles: Mapping[str, Role]
    untrained: Mapping[str, int] = {}

    def checks_values(self, name: str) -> bool:
        """Whether a variable's values ought to be finite: weights and optimizer state."""
        return self.roles.get(name, Role.OTHER) is not Role.OTHER

    def rule_of(self, name: str, count: int, nans: int) -> BadRule:
        """Infinities among other values of a weight without slots may be meant, as in a mask; NaN never is."""
        is_mask = not nans and count < self.untrained.get(name, 0)
        return BadRule.INFINITE if is_mask else BadRule.NON_FINITE


def untrained_weights(variables: Iterable[Variable]) -> dict[str, int]:
    """The weights for whose shape the optimizer has no slot, with their numbers of values."""
    variables = list(variables)
    slots = {item.shape for item in variables if item.role is Role.OPTIMIZER and item.shape}
    return {
        item.name: math.prod(item.shape or ())
        for item in variables
        if item.role is Role.WEIGHT and item.shape not in slots
    }


class Tally:
    """Counts and problems of one verification, told to `send` from time to time."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        self._send = send
        self._told = 0.0
        self._lock = threading.Lock()
        self._problems: dict[tuple[BadRule, str], tuple[str, int]] = {}
        self._read: set[str] = set()
        self._unverifiable: list[tuple[str, str]] = []
        self.done = self.total = 0
        self.problem_count = self.unverifiable_count = 0
        self.damage: list[str] = []  # beyond single tensors: a missing shard
        self.notes: list[str] = []
        self.left_to_trial: list[str] = []  # what only a trial restore tells

    def expect(self, size: int) -> None:
        """So many bytes more are going to be read."""
        self.total += size
        self._tell()

    def advance(self, size: int) -> None:
        """So many bytes were read."""
        with self._lock:  # two threads may read
            self.done += size
            now = time.monotonic()
            if now - self._told >= _INTERVAL:
                self._told = now
                self._tell()

    def read(self, name: str) -> None:
        """A value was read to its end."""
        self._read.add(name)

    def mismatch(self, name: str, detail: str) -> None:
        """A value's checksum does not hold, or its filter or library refuses it."""
        self._problem(BadRule.MISMATCH, name, detail, 0)

    def non_finite(self, job: Job, name: str, count: int, nans: int) -> None:
        """So many of a variable's values, or of one part of it, are NaN or infinite."""
        rule = job.rule_of(name, count, nans)
        if (former := self._problems.pop((BadRule.INFINITE, name), None)) and rule is BadRule.NON_FINITE:
            self.problem_count -= 1
        elif former is not None:
            self._problems[BadRule.INFINITE, name] = former
        if (BadRule.NON_FINITE, name) in self._problems:
            rule = BadRule.NON_FINITE  # one part of it is NaN
        count += (former or self._problems.get((rule, name), ("", 0)))[1]
        values = "1 value is" if count == 1 else f"{count:,} values are"
        self._problem(rule, name, f"{values} {'infinite' if rule is BadRule.INFINITE else 'NaN or infinite'}.", count)

    def skip(self, name: str, why: str) -> None:
        """A value that cannot be verified."""
        self.unverifiable_count += 1
        if len(self._unverifiable) < LISTED:
            self._unverifiable.append((name, _told(why)))

    def result(self) -> dict[str, Any]:
        """All of it, for the parent."""
        return {
            "tensors": len(self._read),
            "bytes": min(self.done, self.total),  # strings' lengths are read twice
            "problems": [(rule.value, name, *rest) for (rule, name), rest in self._problems.items()],
            "problem_count": self.problem_count,
            "unverifiable": self._unverifiable,
            "unverifiable_count": self.unverifiable_count,
            "damage": [_told(text) for text in self.damage[:LISTED]],
            "notes": self.notes,
            "left_to_trial": self.left_to_trial,
        }

    def _problem(self, rule: BadRule, name: str, detail: str, count: int) -> None:
        is_new = (rule, name) not in self._problems
        self.problem_count += is_new
        if not is_new or len(self._problems) < LISTED:
            self._problems[rule, name] = (_told(detail), count)

    def _tell(self) -> None:
        self._send(json.dumps({"done": self.done, "total": self.total}).encode() + b"\n")


def _told(text: str) -> str:
    """A detail as text that every encoder takes, of no more than some length."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
