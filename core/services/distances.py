"""How far the values of two checkpoints lie apart: of each variable, and of the layers that they make up."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.base.facts import Role
from core.base.records import Checkpoint
from core.distance.measure import VariableDistance, relative
from core.distance.run import Distances, Placed, not_measured
from core.services.workspace import Workspace

__all__ = ["Distances", "LayerDistance", "Placed", "VariableDistance", "layers", "not_measured", "placed"]

_TF_ENDING = "/.ATTRIBUTES/VARIABLE_VALUE"
_AROUND = frozenset(("vars", "_variables"))  # between a layer and the numbers of its variables


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDistance:
    """The variables of one layer, or of one part of an optimizer, those that changed most first, taken together."""

    name: str
    variables: tuple[VariableDistance, ...]

    @property
    def relative(self) -> float:
        """As of one variable that holds them all."""
        return relative(_norm(one.difference for one in self.variables), _norm(one.left_norm for one in self.variables))

    @property
    def cosine(self) -> float | None:
        """As of one variable that holds them all."""
        left, right = (_norm(one.left_norm for one in self.variables), _norm(one.right_norm for one in self.variables))
        product = sum(one.product for one in self.variables)
        return max(-1.0, min(1.0, product / (left * right))) if left and right else None

    @property
    def largest(self) -> float:
        """The largest absolute difference."""
        return max(one.largest for one in self.variables)


def placed(workspace: Workspace, checkpoint: Checkpoint) -> Placed:
    """A checkpoint with the absolute path of its root."""
    return workspace.root(checkpoint.root).path, checkpoint


def layers(found: Distances, *, everything: bool = False) -> tuple[LayerDistance, ...]:
    """The layers, the most changed first: of weights, or where no variable is known as one, or `everything` is asked
    for, of all variables.
    """
    chosen = [one for one in found.variables if one.role is Role.WEIGHT]
    if everything or not chosen:
        chosen = list(found.variables)
    by_name: dict[str, list[VariableDistance]] = {}
    for one in chosen:
        by_name.setdefault(layer_of(one.name), []).append(one)
    made = [
        LayerDistance(name=name, variables=tuple(sorted(members, key=lambda one: (-one.relative, one.name))))
        for name, members in by_name.items()
    ]
    return tuple(sorted(made, key=lambda layer: (-layer.relative, layer.name)))


def layer_of(variable: str) -> str:
    """What holds a variable, by its name: the path above it; its own name where there is none."""
    parts = variable.removesuffix(_TF_ENDING).split("/")[:-1]
    while len(parts) > 1 and parts[-1] in _AROUND:
        parts.pop()
    return "/".join(parts) or variable.removesuffix(_TF_ENDING)


def _norm(values: Iterable[float]) -> float:
    return math.hypot(*values)
