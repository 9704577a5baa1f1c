"""How one checkpoint would be loaded, and loading it so that all of it is exact or nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from waypoint_resume.errors import MismatchError, ResumeError
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.live import Live
from waypoint_resume.objects import value_of


@dataclass
class LoadPlan:
    """How one checkpoint would be loaded. `differences` must be empty, `notes` are told. `read` reads every tensor
    and raises where one cannot be read; `non_finite` names the variables from whose values no training comes back;
    `check` says, after `load`, which variables do not have their value. `step` and `learning_rates` are the file's.
    `restarts` says what of the file is left where it is; `weights_fit`: it is the optimizer alone that does not fit.
    """

    load: Callable[[], None]
    check: Callable[[], list[str]]
    read: Callable[[], None]
    non_finite: Callable[[], list[str]]
    differences: list[str]
    notes: list[str]
    step: int | None
    has_optimizer: bool
    learning_rates: list[float] = field(default_factory=list)
    restarts: str | None = None
    weights_only: bool = False
    weights_fit: bool = False

    def mismatch(self, name: str) -> MismatchError:
        """The error that tells every difference, and the way out where there is one."""
        return MismatchError(name, self.differences, [WEIGHTS_ONLY_WAY] if self.weights_fit else [])


OPTIMIZER_RESTARTS = (
    "The checkpoint holds no optimizer state: the optimizer restarts, its moments and its count of steps at 0."
)
WEIGHTS_ALONE = (
    "Weights alone, as asked: the optimizer stays as the job made it, its moments and its count of steps at 0, and "
    "epochs count anew."
)
NO_OPTIMIZER_YET = (
    "The model is not compiled, so the optimizer's state in the file is left there: the optimizer that compile() makes "
    "begins anew. To go on exactly, compile before."
)
WEIGHTS_ONLY_WAY = (
    "The weights fit. To take them alone and begin with a fresh optimizer: resume(run, ..., weights_only=True), "
    "Waypoint(run, weights_only=True), or hand it over so, best with --mode fork: a run of its own "
    f"({on_the_dashboards_machine('resume RUN --weights-only')})."
)


def load_checked(name: str, plan: LoadPlan, live: Live) -> None:
    """Load, and see that every variable has the value of the file; else everything is put back."""
    former = [(variable, value_of(variable)) for variable in live.variables()]
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
