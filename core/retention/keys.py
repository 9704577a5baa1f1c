"""What a key of `[[retention]]` is: the values that it takes, and its words for shell, Storage page and docs.

`core.retention.rules` has all of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.base.direction import Direction

_MOST = 10**15  # a count or a number of steps
MOST_HOURS = 24 * 365 * 100


class Kind(StrEnum):
    """The values that a key takes; as an option of the shell they are named so."""

    WHOLE = "N"
    HOURS = "H"
    DAYS = "D"
    TEXT = "NAME"
    MODE = "min|max"
    FLAG = ""


_MOST_OF = {Kind.HOURS: MOST_HOURS, Kind.DAYS: MOST_HOURS / 24}


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `meaning` is what docs/storage.md says of it; `option` the help of the shell's option, `label` the head
    of the field on the Storage page: without one it is not asked for there.

    `tip` and `placeholder` belong to that field, which has the value `of_sweep` for whoever comes from a sweep.
    `wanted` is what a MODE or FLAG must be, where it is none.
    """

    name: str
    kind: Kind
    meaning: str
    option: str = ""
    label: str = ""
    tip: str | None = None
    placeholder: str | None = None
    of_sweep: int | None = None
    wanted: str = "must be true, or left out"

    @property
    def flag(self) -> str:
        """Its option in the shell: `--every-steps`."""
        return f"--{self.name.replace('_', '-')}"

    def read(self, value: Any) -> Any:  # noqa: ANN401 - what TOML, a form or the shell gives
        """The value that a rule is made with. ValueError whose text says what is allowed."""
        if self.kind is Kind.WHOLE:
            _require(type(value) is int and 1 <= value <= _MOST, "must be a whole number, 1 or more")
        elif self.kind is Kind.TEXT:
            is_text = isinstance(value, str) and bool(value.strip()) and "\0" not in value
            _require(is_text, "must be a text that is not empty")
        elif self.kind is Kind.MODE:
            _require(isinstance(value, str) and bool(value.strip()), "must be a text that is not empty")
            _require(value in tuple(Direction), self.wanted)
            return Direction(value)
        elif self.kind is Kind.FLAG:
            _require(value is True, self.wanted)
        else:
            most = _MOST_OF[self.kind]
            is_number = type(value) in (int, float) and 0 < value <= most
            _require(is_number, f"must be a number greater than 0, at most {most:,.0f}")
            return float(value)
        return value


def _require(holds: bool, wanted: str) -> None:
    if not holds:
        raise ValueError(wanted)
