"""How one checkpoint would be loaded, and loading it so that all of it is exact or nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.live import Live


@dataclass
class LoadPlan:
    """How one checkpoint would be loaded. `differences` must be empty, `notes` are told. `read` reads every tensor
    and raises where one cannot be read; `non_finite` names the variables from whose values no training comes back;
    `check` says, after `load`, which variables do not have their value.
    """

    load: Callable[[], None]
    check: Callable[[], list[str]]
    read: Callable[[], None]
    non_finite: Callable[[], list[str]]
    differences: list[str]
    notes: list[str]
    step: int | None
    has_optimizer: bool


OPTIMIZER_RESTARTS = (
    "The checkpoint holds no optimizer state: the optimizer restarts, its moments and its count of steps at 0."
)


def load_checked(name: str, plan: LoadPlan, live: Live) -> None:
    """Load, and see that every variable has the value of the file; else everything is put back."""
    former = [(variable, variable.numpy()) for variable in live.variables()]
    try:
        plan.load()
        wrong = plan.check()
    except Exception as error:
        put_back(former)
        raise ResumeError(f"{name} could not be loaded, the former values were put back: {error}") from error
    if wrong:
        put_back(former)
        raise ResumeError(f"{name} was not restored exactly, the former values were put back: {', '.join(wrong)}")


def put_back(former: Sequence[tuple[Any, Any]]) -> None:
    """Give variables their former values."""
    for variable, value in former:
        variable.assign(value)
