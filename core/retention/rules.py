"""The table of retention rules: a row each, with its keys. Settings, shell, Storage page and docs follow from it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from core.retention.best_trials import KeepBestTrials
from core.retention.keys import Key, Kind
from core.retention.policies import EveryHours, EverySteps, KeepBest, KeepLatest, NewerThan, Pinned, Rule

Lacking = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule. `make` takes the values of its keys, None for one that was not given. All of them belong together, but
    where `lacks` tells, of those that were given, which are missing or mean nothing by themselves, and why.
    """

    make: Callable[..., Rule]
    keys: tuple[Key, ...]
    lacks: Callable[[Collection[str]], Lacking] | None = None

    def missing(self, given: Collection[str]) -> Lacking:
        """What is wrong with giving some of its keys, by key."""
        if self.lacks is not None:
            return self.lacks(given)
        names = [key.name for key in self.keys]
        return [(name, f"is missing: {', '.join(names)} belong together") for name in names if name not in given]


def _trials_lack(given: Collection[str]) -> Lacking:
    if "best_trials" not in given:
        for name in given:
            yield name, "stands in for what a sweep's files do not tell: best_trials is missing"
    if "trials_metric" in given and "trials_mode" not in given:
        yield "trials_mode", "is missing: which values of trials_metric are better"


_UNTOLD = "Only where no file of the tuner tells it, as with Ray Tune."
_LATEST = Key(
    "latest",
    Kind.WHOLE,
    "keep the latest so many that can be restored",
    option="Keep the latest N that can be restored.",
    label="Keep the latest",
)
_BEST = Key(
    "best",
    Kind.WHOLE,
    "keep the so many with the best `metric`; the newer of equal ones",
    option="Keep the N best by --metric.",
    label="Keep the best",
)
_METRIC = Key(
    "metric",
    Kind.TEXT,
    "its name as the job logged it ([metrics.md](metrics.md)) or as it stands in file names, such as `val_loss`; "
    "`metric` for a number without a name, as in `cp-0004-0.285.keras`",
    option="The metric that was logged, or that stands in the files' names.",
    label="by the metric",
    tip="As it was logged, or as it stands in the files' names.",
    placeholder="val_loss",
)
_MODE = Key(
    "mode",
    Kind.MODE,
    "`min` or `max`: which values of the metric are better",
    option="Which values of the metric are better.",
    label="the better being",
    placeholder="min or max",
    wanted="must be min or max: which values are better",
)
_EVERY_STEPS = Key(
    "every_steps",
    Kind.WHOLE,
    "keep one for each so many steps: the first at or after each multiple",
    option="Keep one for each N steps.",
    label="One every … steps",
)
_EVERY_HOURS = Key(
    "every_hours",
    Kind.HOURS,
    "keep the first, and each that was saved so many hours after the last one kept",
    option="Keep one for each H hours.",
    label="One every … hours",
)
_NEWER_DAYS = Key(
    "newer_days",
    Kind.DAYS,
    "keep what was saved within so many days",
    option="Keep what was saved within D days.",
    label="Newer than … days",
)
_BEST_TRIALS = Key(
    "best_trials",
    Kind.WHOLE,
    "keep all of the so many best trials of a sweep, see below",
    option="Keep the N best trials of each sweep.",
    label="Keep the best trials",
    tip="All of the so many best trials of each sweep. Of the others every checkpoint goes.",
    of_sweep=5,
)
_TRIALS_METRIC = Key(
    "trials_metric",
    Kind.TEXT,
    "the sweep's objective, where no file of its tuner tells it (Ray Tune)",
    option="The sweep's objective, where no file of the tuner tells it.",
    label="by the objective",
    tip=_UNTOLD,
    placeholder="of the sweep",
)
_TRIALS_MODE = Key(
    "trials_mode",
    Kind.MODE,
    "`min` or `max`: which scores are better, where no file tells it",
    option="Which scores are better, where no file of the tuner tells it.",
    label="the better being",
    tip=_UNTOLD,
    placeholder="as it tells",
    wanted="must be min or max: which scores are better",
)
_PINNED = Key(
    "pinned",
    Kind.FLAG,
    "`true`: keep nothing but pinned checkpoints, if it is the only rule",
    wanted="must be true, or left out: pinned ones always stay",
)
RULES = (
    RuleRow(KeepLatest, (_LATEST,)),
    RuleRow(lambda best, metric, mode: KeepBest(best, metric.lower(), mode), (_BEST, _METRIC, _MODE)),
    RuleRow(EverySteps, (_EVERY_STEPS,)),
    RuleRow(EveryHours, (_EVERY_HOURS,)),
    RuleRow(NewerThan, (_NEWER_DAYS,)),
    RuleRow(KeepBestTrials, (_BEST_TRIALS, _TRIALS_METRIC, _TRIALS_MODE), lacks=_trials_lack),
    RuleRow(lambda _true: Pinned(), (_PINNED,)),
)
PLACES = (
    Key(
        "root",
        Kind.TEXT,
        "only for the runs of this root, a path (relative to the file's folder); without it for all roots",
    ),
    Key(
        "runs",
        Kind.TEXT,
        "only for runs that this glob fits, relative to the root (`*` is one component, `**` any number); without it "
        "for all",
    ),
)
LEFTOVERS = Key(
    "leftovers_hours",
    Kind.HOURS,
    "leave leftovers alone until they are so old, if that is longer than `write_grace`",
    label="Leftovers older than … hours",
)
POLICY_KEYS = (*(key for row in RULES for key in row.keys), LEFTOVERS)
KEYS = {key.name: key for key in (*PLACES, *POLICY_KEYS)}
