"""A retention policy given on a command line, in place of those of the settings."""

from typing import Annotated

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
