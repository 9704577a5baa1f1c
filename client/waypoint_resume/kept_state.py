"""The state that was kept beside the checkpoint that a start restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.identity import Identity, identity_of
from waypoint_resume.position import Position
from waypoint_resume.state_store import StateStore

_MOST = 10**9  # epochs, and batches of one: more is no training


@dataclass(frozen=True)
class KeptState:
    """The identity of a checkpoint (None where it could not be read), its state, and why there is none to use."""

    identity: Identity | None = None
    state: dict[str, Any] | None = None
    problem: str | None = None

    @property
    def position(self) -> Position | None:
        """Epochs and batches that are done, where the state tells both."""
        found = position_in(self.state or {})
        return found if found is None else Position(*found)


def find_state(decision: Decision, path: str, step: int | None) -> KeptState:
    """What was kept beside the checkpoint at a path relative to the run. `step` is the file's: a state of another one
    is not used. Nothing is raised for what lies there.
    """
    try:
        identity = identity_of(decision.run, path)
    except OSError as error:
        return KeptState(problem=f"{path} could not be read for its identity: {error}")
    kept = StateStore(decision.run, decision.home).find(identity)
    if kept.state is None:
        return KeptState(identity, problem=kept.problem)
    told = mapping_in(kept.state, "position").get("step")
    if step is not None and type(told) is int and told != step:
        return KeptState(identity, problem=f"The state kept for {path} is of step {told}, not {step}: not used.")
    if reason := _impossible(kept.state, step):
        return KeptState(identity, problem=f"The state kept for {path} is not used: {reason}.")
    return KeptState(identity, kept.state)


def _impossible(state: Mapping[str, Any], step: int | None) -> str | None:
    """Why what a state says of the epochs cannot be. They are held against the checkpoint's step with much room: an
    optimizer may have begun anew within a training, or step once in many batches.
    """
    told, begun_at = position_in(state), mapping_in(state, "data").get("begun_at")
    if told is None:
        return None
    epochs = told[0] - (begun_at if type(begun_at) is int else 0)
    if max(told) > _MOST or (step is not None and max(epochs, told[1]) > 1_000 + 100 * step):
        at = "" if step is None else f", and the checkpoint is of step {step:,}"
        return f"it tells {told[0]:,} epochs and {told[1]:,} batches{at}"
    return None


def position_in(state: Mapping[str, Any]) -> tuple[int, int] | None:
    """Epochs and batches that are done, as a state tells them; None where it does not."""
    told = mapping_in(state, "position")
    epoch, batch = told.get("epoch"), told.get("batch")
    is_told = type(epoch) is int and type(batch) is int and epoch >= 0 and batch >= 0
    return (epoch, batch) if is_told else None  # type: ignore[return-value]


def mapping_in(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a state that is an object; an empty one where it is none."""
    part = state.get(name)
    return part if isinstance(part, Mapping) else {}
