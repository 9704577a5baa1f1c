"""Numbers out of stored bytes, and the sums of which distances are made: in parts, in double precision."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64 | np.complex128]
WINDOW = 1 << 18  # numbers that are compared at once

_KINDS = {
    **{f"float{bits}": f"f{bits // 8}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    "complex64": "c8",
    "complex128": "c16",
    "bool": "u1",
}


def size_of(dtype: str) -> int | None:
    """Bytes of a number of a dtype; None for one that is no number, or that is not read here."""
    return 2 if dtype == "bfloat16" else int(_KINDS[dtype][1:]) if dtype in _KINDS else None


def decoder(dtype: str, *, big_endian: bool = False) -> Callable[[Bytes], Numbers]:
    """What turns the stored bytes of a dtype into numbers. KeyError for one that `size_of` does not know."""
    order = ">" if big_endian else "<"
    if dtype == "bfloat16":  # the upper half of a float32
        return lambda data: (data.view(f"{order}u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    kind = np.dtype(f"{order}{_KINDS[dtype]}")
    wide: type[Any] = np.complex128 if kind.kind == "c" else np.float64
    return lambda data: data.view(kind).astype(wide)


class Sums:
    """Of two variables, part by part. Pairs of which one is NaN or infinite are counted and left out."""

    def __init__(self) -> None:
        self.count = self.non_finite = 0
        self._left = self._right = self._product = self._difference = self.largest = 0.0

    def add(self, left: Numbers, right: Numbers) -> None:
        """Take in a part of both."""
        both = np.isfinite(left) & np.isfinite(right)
        if not both.all():
            self.non_finite += int(len(both) - np.count_nonzero(both))
            left, right = left[both], right[both]
        self.count += len(left)
        if not len(left):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            apart = left - right
            self._left += float(np.vdot(left, left).real)
            self._right += float(np.vdot(right, right).real)
            self._product += float(np.vdot(left, right).real)
            self._difference += float(np.vdot(apart, apart).real)
            self.largest = max(self.largest, float(np.abs(apart).max()))

    def row(self) -> list[float | int]:
        """The count, the norms of the difference and of both, their inner product, the largest difference, and how
        many pairs were left out.
        """
        norms = (math.sqrt(self._difference), math.sqrt(self._left), math.sqrt(self._right))
        return [self.count, *norms, self._product, self.largest, self.non_finite]
