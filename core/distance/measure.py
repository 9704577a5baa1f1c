"""Two checkpoints' values compared, variable by variable, a block at a time; and the records of what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.base.errors import FormatError
from core.base.facts import Role
from core.distance.stored import Piece, Stored
from core.distance.sums import WINDOW, Bytes, Sums, decoder, size_of
from core.verify.results import LISTED
from core.verify.tally import Tally

_ELSE = "Its values are no numbers, or of a type that is not compared."


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableDistance:
    """A variable of two checkpoints: how many pairs of values were compared, the Euclidean norms of their difference
    and of both, their inner product, the largest absolute difference, and how many pairs were left out as one of them
    is NaN or infinite.
    """

    name: str
    role: Role
    count: int
    difference: float
    left_norm: float
    right_norm: float
    product: float
    largest: float
    non_finite: int

    @property
    def relative(self) -> float:
        """The norm of the difference by that of the first: 0 for equal values, infinite where the first is all 0."""
        return relative(self.difference, self.left_norm)

    @property
    def cosine(self) -> float | None:
        """The cosine between both; None where one of them is all 0."""
        norms = self.left_norm * self.right_norm
        return max(-1.0, min(1.0, self.product / norms)) if norms else None


def relative(difference: float, norm: float) -> float:
    """A difference by the norm of what it is held against."""
    return difference / norm if norm else float("inf") if difference else 0.0


def compare(left: Stored, right: Stored, roles: Mapping[str, Role], tally: Tally) -> dict[str, Any]:
    """What both hold, as rows in the order of the first; what cannot be compared, with why; and how many variables
    only one of them has.
    """
    both = [name for name in left.pieces if name in right.pieces]
    skipped = {name: why for name in both if (why := _why_not(left.pieces[name], right.pieces[name])) is not None}
    wanted = [name for name in both if name not in skipped]
    tally.expect(sum(one.size for side in (left, right) for name in wanted for one in side.pieces[name]))
    rows: list[list[Any]] = []
    for name in wanted:
        try:
            sums = _measured(left, right, name, tally)
        except (
            FormatError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # what damaged files and libraries come up with
            skipped[name] = f"It cannot be read: {error}"[:500]
            continue
        rows.append([name, roles.get(name, Role.OTHER).value, *sums.row()])
    return {
        "rows": rows,
        "skipped": list(skipped.items())[:LISTED],
        "skipped_count": len(skipped),
        "only": [len(left.pieces) - len(both), len(right.pieces) - len(both)],
    }


def distance_of(row: Sequence[Any]) -> VariableDistance:
    """A row of `compare` as a record. TypeError or ValueError for anything else."""
    name, role, count, difference, left, right, product, largest, non_finite = row
    return VariableDistance(
        name=str(name),
        role=Role(role),
        count=int(count),
        difference=float(difference),
        left_norm=float(left),
        right_norm=float(right),
        product=float(product),
        largest=float(largest),
        non_finite=int(non_finite),
    )


def _why_not(left: Sequence[Piece], right: Sequence[Piece]) -> str | None:
    if [one.shape for one in left] != [one.shape for one in right]:
        return "Its shape, or how it is partitioned, is another one."
    for one in (*left, *right):
        if one.why_not is not None or size_of(one.dtype) is None:
            return one.why_not or _ELSE
    return None


def _measured(left: Stored, right: Stored, name: str, tally: Tally) -> Sums:
    sums = Sums()
    for number, (ours, theirs) in enumerate(zip(left.pieces[name], right.pieces[name], strict=True)):
        decode = (
            decoder(ours.dtype, big_endian=ours.big_endian),
            decoder(theirs.dtype, big_endian=theirs.big_endian),
        )
        for place in left.parts(name, number):
            here, there = left.read(name, number, place), right.read(name, number, place)
            windows = zip(_windows(here, ours.dtype), _windows(there, theirs.dtype), strict=True)
            for one, other in windows:
                sums.add(decode[0](one), decode[1](other))
            tally.advance(len(here) + len(there))
    return sums


def _windows(data: Bytes, dtype: str) -> Iterator[Bytes]:
    step = WINDOW * (size_of(dtype) or 1)
    for start in range(0, len(data), step):
        yield data[start : start + step]
