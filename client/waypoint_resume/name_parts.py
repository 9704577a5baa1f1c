"""What a checkpoint's name was read as: its text, and the numbers by which the names of one series differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple, Optional, Union

_FIRST = datetime(1, 1, 1)  # noqa: DTZ001 - names have no zone


class Role(Enum):
    """What a number in a name is taken for. A COUNT may be anything; a SIZE counts only where training proves it."""

    EPOCH = "epoch"
    STEP = "step"
    BATCH = "batch"
    SAVE = "save"
    COUNT = "count"
    SIZE = "size"
    MOMENT = "moment"


Value = tuple[int, float, str]  # what numbers are compared by


class Number(NamedTuple):
    """A number by which names of one series differ; a moment's value is None where day and month may be either."""

    role: Role
    value: Union[int, datetime, None]  # noqa: UP007 - Python 3.9 has no other way to say it
    text: str

    @property
    def order(self) -> Value:
        """The number as names are ordered by it."""
        if isinstance(self.value, datetime):
            return (1, (self.value - _FIRST).total_seconds(), "")
        return (2, 0.0, self.text) if self.value is None else (0, float(self.value), "")


class FileName(NamedTuple):
    """A name, read. `parts` is the name without its ending: text, and places in `numbers` where these stand; measured
    values are `#`. Folds, seeds, versions and settings are text. `by_metric` tells that a measured value follows the
    last of `numbers`, as Keras' `{epoch:02d}-{val_loss:.2f}` puts it there. `fractions` are the places in `parts` and
    the texts of those without a word, in front of all that counts: a setting perhaps (`m_1e-3_10`). The first
    `of_folder` numbers are those of the folder's name.
    """

    parts: tuple[Union[str, int], ...]  # noqa: UP007
    numbers: tuple[Number, ...] = ()
    metric: Optional[tuple[str, float]] = None  # noqa: UP045
    by_metric: bool = False
    fractions: tuple[tuple[int, str], ...] = ()
    of_folder: int = 0

    @property
    def stem(self) -> str:
        """What the names of one series share: `cp-0004-0.285.keras` and `cp-0005-0.281.keras` have `cp-#-#`."""
        return self.stem_with(())

    @property
    def order(self) -> tuple[Value, ...]:
        """The numbers, by which names of one stem are ordered."""
        return tuple(number.order for number in self.numbers)

    def stem_with(self, kept: Sequence[int], *, with_fractions: bool = False) -> str:
        """The stem in which the numbers at some places stand as they are, for they tell trainings apart."""
        told = dict(self.fractions) if with_fractions else {}
        return "".join(
            told.get(place, part) if isinstance(part, str) else self.numbers[part].text if part in kept else "#"
            for place, part in enumerate(self.parts)
        )

    def first(self, role: Role) -> int | None:
        """The first number of a role; None where it is below 0, as before anything was trained (`epoch=-1`)."""
        found = (number.value for number in self.numbers if number.role is role)
        value = next((value for value in found if isinstance(value, int)), -1)
        return value if value >= 0 else None

    @property
    def step(self) -> int | None:
        """The number that the word step (or iter, update …) names."""
        return self.first(Role.STEP)

    @property
    def epoch(self) -> int | None:
        """The number that the word epoch names (`epoch-03`, `e12`, `10_epochs`)."""
        return self.first(Role.EPOCH)

    @property
    def moment(self) -> datetime | None:
        """The last date or clock in the name."""
        found = [number.value for number in self.numbers if isinstance(number.value, datetime)]
        return found[-1] if found else None
