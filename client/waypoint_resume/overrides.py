"""Settings of the optimizer that a manifest overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.objects import is_variable
from waypoint_resume.rules import number_value

_AT_ITS_MAKING = ("gradient_accumulation_steps", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor")


def check_overrides(overrides: Mapping[str, Any], optimizer: Any) -> None:  # noqa: ANN401
    """ResumeError with every override that the job's optimizer cannot take."""
    wrong = []
    settings = optimizer.get_config() if optimizer is not None else {}
    for name, value in overrides.items():
        if optimizer is None:
            wrong.append(f"{name}: which optimizer is meant cannot be told; pass optimizer= to resume()")
        elif name not in settings or name == "name":
            wrong.append(f"{name}: {type(optimizer).__name__} has no such setting")
        elif name == "learning_rate":
            if number_value(value) is not None or value < 0:
                wrong.append(f"learning_rate: {value!r} is no number from 0 on")
            elif not is_variable(getattr(optimizer, "_learning_rate", None)):
                wrong.append("learning_rate: the optimizer follows a schedule, which cannot be assigned to")
        elif isinstance(value, bool) or isinstance(settings[name], bool) or name in _AT_ITS_MAKING:
            wrong.append(f"{name}: only the job can change it, where it makes its {type(optimizer).__name__}")
        elif name == "momentum" and bool(value) != bool(settings[name]):
            wrong.append("momentum: only the job can turn it on or off, for slots come and go with it")
        elif type(value) not in (int, float) or type(settings[name]) not in (int, float, type(None)):
            wrong.append(f"{name}: {value!r} is not of the kind of {settings[name]!r}")
        elif value < 0 or (name.startswith(("clip", "global_clip")) and value == 0):
            wrong.append(f"{name}: {value!r} is too small")
    if wrong:
        head = "The manifest's overrides cannot be applied; nothing was loaded. Hand the checkpoint over with others:"
        raise ResumeError("\n  ".join([head, *wrong]))
