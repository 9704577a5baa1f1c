"""What of runs and checkpoints has a name in a search, beside levels, metrics and parameters of runs."""

from dataclasses import dataclass
from enum import StrEnum

from core.base.facts import Contents, Format
from core.base.records import Health


class Kind(StrEnum):
    """What a field's values are."""

    TEXT = "text"
    TAG = "tag"
    CHOICE = "choice"
    FLAG = "yes or no"
    NUMBER = "number"
    SIZE = "size"
    MOMENT = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A name, what its values are, what it tells; `choices` are all values of a choice."""

    name: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()


def _table(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


_STATUS = ("live", "idle", "stale")
_HEALTH = ("ok", "warning", "error")
PATH = Field(name="path", kind=Kind.TEXT, meaning="the path below the root")

RUN_FIELDS = _table(
    PATH,
    Field(name="run", kind=Kind.TEXT, meaning="the same"),
    Field(name="tag", kind=Kind.TAG, meaning="a tag"),
    Field(name="owner", kind=Kind.TEXT, meaning="whose run it is"),
    Field(name="note", kind=Kind.TEXT, meaning="the note"),
    Field(name="favourite", kind=Kind.FLAG, meaning="whether it is a favourite"),
    Field(name="status", kind=Kind.CHOICE, choices=_STATUS, meaning="whether it lives"),
    Field(name="health", kind=Kind.CHOICE, choices=_HEALTH, meaning="its worst finding"),
    Field(name="saved", kind=Kind.MOMENT, meaning="when it last saved"),
    Field(name="changed", kind=Kind.MOMENT, meaning="when anything in it last changed"),
    Field(name="size", kind=Kind.SIZE, meaning="bytes of all of its files"),
    Field(name="checkpoints", kind=Kind.NUMBER, meaning="how many it has"),
    Field(name="restorable", kind=Kind.NUMBER, meaning="how many can be restored"),
    Field(name="series", kind=Kind.NUMBER, meaning="how many series it has"),
    Field(name="step", kind=Kind.NUMBER, meaning="its newest step"),
    Field(name="errors", kind=Kind.NUMBER, meaning="findings that are errors"),
    Field(name="warnings", kind=Kind.NUMBER, meaning="findings that are warnings"),
    Field(name="deleted", kind=Kind.FLAG, meaning="whether MLflow marks it as deleted"),
)
# Of a checkpoint; what is not named here is asked of its run.
CHECKPOINT_FIELDS = _table(
    PATH,
    Field(name="format", kind=Kind.CHOICE, choices=tuple(Format), meaning="its format"),
    Field(name="contents", kind=Kind.CHOICE, choices=tuple(Contents), meaning="what is in it"),
    Field(name="health", kind=Kind.CHOICE, choices=tuple(Health), meaning="its worst finding"),
    Field(name="restorable", kind=Kind.FLAG, meaning="whether it can be restored"),
    Field(name="latest", kind=Kind.FLAG, meaning="whether it is the latest of its series"),
    Field(name="has_optimizer", kind=Kind.FLAG, meaning="whether the optimizer's state is in it"),
    Field(name="saved", kind=Kind.MOMENT, meaning="when it was saved"),
    Field(name="size", kind=Kind.SIZE, meaning="bytes of its files"),
    Field(name="step", kind=Kind.NUMBER, meaning="its step"),
    Field(name="epoch", kind=Kind.NUMBER, meaning="its epoch"),
    Field(name="variables", kind=Kind.NUMBER, meaning="how many variables it has"),
    Field(name="parameters", kind=Kind.NUMBER, meaning="how many weights it has"),
)
