"""A retention policy given on a command line, in place of those of the settings."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from core.services.retention import Policy, parse_policy

Latest = Annotated[int | None, typer.Option(metavar="N", help="Keep the latest N that can be restored.")]
Best = Annotated[int | None, typer.Option(metavar="N", help="Keep the N best by --metric.")]
Metric = Annotated[str | None, typer.Option(metavar="NAME", help="The metric in the files' names.")]
Mode = Annotated[str | None, typer.Option(metavar="min|max", help="Which values of the metric are better.")]
EverySteps = Annotated[int | None, typer.Option(metavar="N", help="Keep one for each N steps.")]
EveryHours = Annotated[float | None, typer.Option(metavar="H", help="Keep one for each H hours.")]
NewerDays = Annotated[float | None, typer.Option(metavar="D", help="Keep what was saved within D days.")]
BestTrials = Annotated[int | None, typer.Option(metavar="N", help="Keep the N best trials of each sweep.")]
TrialsMetric = Annotated[
    str | None, typer.Option(metavar="NAME", help="The sweep's objective, where no file of the tuner tells it.")
]
TrialsMode = Annotated[
    str | None, typer.Option(metavar="min|max", help="Which scores are better, where no file of the tuner tells it.")
]


def asked_policy(**keys: object) -> Policy | None:
    """The policy of some options, named as the keys of `[[retention]]`; None where none was given.

    SettingsError with every problem.
    """
    given = {key: value for key, value in keys.items() if value is not None}
    return parse_policy(given) if given else None


_OPTIONS: dict[str, Any] = {
    "latest": Latest,
    "best": Best,
    "metric": Metric,
    "mode": Mode,
    "every_steps": EverySteps,
    "every_hours": EveryHours,
    "newer_days": NewerDays,
    "best_trials": BestTrials,
    "trials_metric": TrialsMetric,
    "trials_mode": TrialsMode,
}
AskedPolicy = Callable[[], Policy | None]


def takes_policy(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a policy in the place of its parameter `asked`, which makes the policy of them."""
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    own = inspect.signature(command).parameters.values()
    shown = [
        option
        for one in own
        for option in (options if one.name == "asked" else [one.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
    ]

    def run(**given: object) -> None:
        keys = {name: given.pop(name) for name in _OPTIONS}
        command(**given, asked=lambda: asked_policy(**keys))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {one.name: one.annotation for one in shown}
    run.__dict__["__signature__"] = inspect.Signature(shown)
    return run
