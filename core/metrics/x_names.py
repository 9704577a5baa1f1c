"""Which columns or keys of a log count steps and epochs, which tell the time, and which say nothing of the training."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from core.metrics.records import Floats, XKind

# The first that is there counts. A log that counts both goes by steps, and its epoch is a value like others.
_COUNTERS = {
    XKind.STEP: "step steps global_step global_steps globalstep trainer/global_step _step training_iteration iteration "
    "iterations iter time/total_timesteps total_timesteps timesteps_total num_timesteps num_updates",
    XKind.EPOCH: "epoch epochs epoch_number epoch_num",
}
COUNTERS = frozenset(word for words in _COUNTERS.values() for word in words.split())
_CLOCKS = ("wall_time", "wall time", "walltime", "timestamp", "_timestamp", "time")
_SECONDS = (1e8, 1e10)  # from 1973 to 2286
_MILLISECONDS = (1e11, 1e13)
_YEAR_1, _YEAR_10000 = -62_135_596_800.0, 253_402_300_800.0


def counters_in(names: Collection[str]) -> list[tuple[str, XKind]]:
    """The names that count steps or epochs, the one first that a log goes by."""
    by_word = {name.strip().lower(): name for name in reversed(list(names))}
    return [(by_word[word], kind) for kind, words in _COUNTERS.items() for word in words.split() if word in by_word]


def clock_in(names: Collection[str]) -> str | None:
    """The name that may tell the time."""
    by_word = {name.strip().lower(): name for name in names}
    return next((by_word[word] for word in _CLOCKS if word in by_word), None)


def told_times(seconds: Floats) -> Floats:
    """Seconds since 1970, NaN for what lies outside the years 1 to 9999 and is no time."""
    with np.errstate(invalid="ignore"):
        return np.where((seconds > _YEAR_1) & (seconds < _YEAR_10000), seconds, np.nan)


def as_wall_time(value: float | None) -> float:
    """Seconds since 1970 out of a number of seconds or milliseconds; NaN for every other number."""
    if value is not None and _SECONDS[0] <= value <= _SECONDS[1]:
        return value
    if value is not None and _MILLISECONDS[0] <= value <= _MILLISECONDS[1]:
        return value / 1000
    return math.nan
