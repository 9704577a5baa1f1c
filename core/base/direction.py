"""Which values of a metric are better."""

from collections.abc import Iterable
from enum import StrEnum


class Direction(StrEnum):
    """Small ones, as of a loss, or great ones, as of an accuracy."""

    MIN = "min"
    MAX = "max"

    @property
    def word(self) -> str:
        """What the best value is called: lowest or highest."""
        return "lowest" if self is Direction.MIN else "highest"

    def rank(self, value: float) -> float:
        """A sort key of values: the best comes first."""
        return value if self is Direction.MIN else -value

    def best(self, values: Iterable[float]) -> float:
        """The best of some values. ValueError where there is none."""
        return min(values, key=self.rank)
