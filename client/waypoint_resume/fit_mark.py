"""Which fit() of a script something is of, as plain data: what states and copies are told apart by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FitMark:
    """One fit() among those of a script: its number, from 0; the calls that lead to it (a digest), and the how manieth
    from there; where its callbacks save, relative to the run.
    """

    number: int
    site: str
    nth: int
    savers: tuple[str, ...]

    def is_apart_from(self, other: FitMark) -> bool:
        """Whether two fits save under names of their own."""
        return bool(self.savers and other.savers) and set(self.savers).isdisjoint(other.savers)

    def record(self) -> dict[str, Any]:
        """The mark as plain data."""
        return {**asdict(self), "savers": list(self.savers)}


def mark_in(state: Mapping[str, Any] | None) -> FitMark | None:
    """Which fit() a state was kept in; None where it does not tell."""
    told = (state or {}).get("fit")
    if not isinstance(told, Mapping):
        return None
    number, site, nth, savers = (told.get(name) for name in ("number", "site", "nth", "savers"))
    if type(number) is not int or number < 0 or type(nth) is not int or not isinstance(savers, (list, tuple)):
        return None
    return FitMark(number, str(site), nth, tuple(map(str, savers)))
