"""Counting values that are NaN or infinite, on the bits: no value is converted, and none is missed.

In IEEE 754 such a value has all exponent bits set. Whether there is any at all is found faster: a product of numbers
with one of them is not finite (nor is one that overflows), and as integers the positive ones are the largest of all
signed, the negative ones the largest of all unsigned numbers. Only where there may be one are they counted.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

# dtype → bytes of a real number, its exponent bits, real numbers of one value
_KINDS: dict[str, tuple[int, int, int]] = {
    "float16": (2, 0x7C00, 1),
    "bfloat16": (2, 0x7F80, 1),
    "float32": (4, 0x7F80_0000, 1),
    "float64": (8, 0x7FF0 << 48, 1),
    "complex64": (4, 0x7F80_0000, 2),
    "complex128": (8, 0x7FF0 << 48, 2),
}


class Finite:
    """A counter for the windows of one variable; `count` is how many NaN and infinite values it found so far,
    `nans` how many of them are NaN.
    """

    def __init__(self, dtype: str, *, big_endian: bool = False) -> None:
        size, self._exponent, self._parts = _KINDS[dtype]
        order = ">" if big_endian else "<"
        self._signed, self._unsigned = np.dtype(f"{order}i{size}"), np.dtype(f"{order}u{size}")
        self._float = np.dtype(f"{order}f{size}") if size > 2 else None
        self._negative = self._exponent | 1 << (8 * size - 1)
        self._value_bytes = size * self._parts
        self._mantissa = (1 << (8 * size - 1)) - 1 & ~self._exponent
        self.count = self.nans = 0

    @classmethod
    def of(cls, dtype: str, *, big_endian: bool = False) -> "Finite | None":
        """A counter for variables of a dtype; None for one whose values are always finite."""
        return cls(dtype, big_endian=big_endian) if dtype in _KINDS else None

    def look(self, window: npt.NDArray[np.uint8]) -> None:
        """Count in some bytes that begin with a whole value; half a value at their end is not looked at."""
        spare = len(window) % self._value_bytes
        if spare:
            window = window[:-spare]
        if self._may_hold(window):
            bits: npt.NDArray[Any] = window.view(self._unsigned)
            found = (bits & bits.dtype.type(self._exponent)) == self._exponent
            nans = found & ((bits & bits.dtype.type(self._mantissa)) != 0)
            self.count += int(np.count_nonzero(found.reshape(-1, self._parts).any(axis=1)))
            self.nans += int(np.count_nonzero(nans.reshape(-1, self._parts).any(axis=1)))

    def _may_hold(self, window: npt.NDArray[np.uint8]) -> bool:
        if self._float is not None:
            numbers: npt.NDArray[Any] = window.view(self._float)
            with np.errstate(all="ignore"):
                return not math.isfinite(np.dot(numbers, numbers))
        if not len(window):
            return False
        return bool(
            window.view(self._signed).max() >= self._exponent or window.view(self._unsigned).max() >= self._negative
        )
