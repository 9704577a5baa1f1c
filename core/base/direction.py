"""Which values of a metric are better."""

from enum import StrEnum


class Direction(StrEnum):
    """Small ones, as of a loss, or great ones, as of an accuracy."""

    MIN = "min"
    MAX = "max"
