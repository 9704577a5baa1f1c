"""What tables in the code make of these pages, and of the job's side, which imports nothing of core.

`make docs` writes it anew, and a test says when to.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from core.config.settings import table
from core.formats.registry import SPECS
from core.formats.spec import FormatSpec
from core.health.rule import Family
from core.health.rules import RULES
from core.metrics import limits as most
from core.metrics.registry import SOURCES
from core.metrics.summary import MOST_KEPT
from core.retention.keys import Key
from core.retention.rules import KEYS
from core.search.fields import CHECKPOINT_FIELDS, RUN_FIELDS

HERE = Path(__file__).parents[1]


def formats() -> Iterator[str]:
    """A row for each format: its files, what is read of them, what of roles is told, who verifies and who goes on."""
    heads = "format", "shown as", "files of one checkpoint", "read of it", "place of each tensor"
    yield f"| {' | '.join((*heads, 'roles told', 'verified', 'resumed'))} |"
    yield f"|{' --- |' * 8}"
    for spec in SPECS:
        name = f"`{spec.format.value}`" + (f": {spec.told.by}" if spec.told.by else "")
        roles = ", ".join(sorted(role.value for role in spec.roles)) if len(spec.roles) > 1 else "no"
        resumed = "yes" if spec.is_resumable else "listed, not resumable here"
        told = (name, spec.label, spec.told.files, spec.told.read, spec.told.places)
        yield f"| {' | '.join((*told, roles, _verified(spec), resumed))} |"


def limits() -> Iterator[str]:
    """The limits of readers that one format has for itself."""
    yield "| format | limit |"
    yield "| --- | --- |"
    for spec in SPECS:
        if spec.told.limits:
            yield f"| `{spec.format.value}` | {spec.told.limits} |"


def listed() -> Iterator[str]:
    """How the job's side knows the files of formats that it does not restore."""
    yield "_LISTED = ("
    for spec in SPECS:
        if spec.listed is not None:
            starts = f'bytes.fromhex("{spec.listed.starts.hex()}")' if spec.listed.starts else 'b""'
            yield f'    (\n        re.compile(r"{spec.listed.names}", re.DOTALL),'
            yield f'        "{spec.listed.word}",\n        {starts},\n    ),'
    yield ")"


def _verified(spec: FormatSpec) -> str:
    return f"yes; `--restore`: {spec.trial.library}" if spec.trial is not None else f"not told: {spec.not_verified}"


def rules() -> Iterator[str]:
    """The rules of health, a heading for what they look at."""
    for family in Family:
        yield f"## {family.value}\n"
        for rule in (one for one in RULES.values() if one.family is family):
            yield f"### {rule.id} ({rule.severity.value})\n\n{rule.meaning}\n"
            yield f"- **Why:** {rule.why}\n- **What to do:** {rule.action}\n"


def retention() -> Iterator[str]:
    """The keys of `[[retention]]`, with the options of the shell."""
    yield "| key | option | meaning |"
    yield "| --- | --- | --- |"
    for key in KEYS.values():
        yield f"| `{key.name}` | {_option(key)} | {key.meaning} |"


def _option(key: Key) -> str:
    value = key.kind.value.replace("|", "\\|")
    return f"`{f'{key.flag} {value}'.rstrip()}`" if key.option else ""


def settings() -> Iterator[str]:
    """The settings, with the environment's variables."""
    yield "| variable | key in waypoint.toml | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for row in table():
        yield f"| `{row.variable}` | `{row.key}` | {row.default} | {row.meaning} |"


def names() -> Iterator[str]:
    """The names of searches."""
    yield "| of | name | values | tells |"
    yield "| --- | --- | --- | --- |"
    for of, fields in (("runs", RUN_FIELDS), ("checkpoints", CHECKPOINT_FIELDS)):
        for field in fields.values():
            values = ", ".join(f"`{one}`" for one in field.choices) or field.kind.value
            yield f"| {of} | `{field.name}` | {values} | {field.meaning} |"


def metrics() -> Iterator[str]:
    """The sources of metrics and parameters."""
    yield "| source | files | read of them | read on |"
    yield "| --- | --- | --- | --- |"
    for source in SOURCES:
        yield f"| {source.label} | {source.files} | {source.tells} | {'yes' if source.grows else 'whole'} |"


def limits_of_metrics() -> Iterator[str]:
    """How much of them is kept."""
    yield "| limit | |"
    yield "| --- | --- |"
    yield f"| settings | {most.MOST_WHOLE_BYTES >> 20} MiB |"
    yield f"| a JSON document of metrics | {most.MOST_DOCUMENT_BYTES >> 20} MiB |"
    yield f"| an event file | {most.MOST_BYTES_A_CALL >> 20} MiB at a time |"
    yield f"| another file that grows | {most.MOST_TEXT_BYTES_A_CALL >> 20} MiB at a time |"
    yield f"| a line | {most.MOST_LINE >> 20} MiB |"
    yield f"| tags, parameters of a file | {most.MOST_TAGS:,} each, names of {most.MOST_NAME} letters |"
    yield f"| a text, or a parameter's value | {most.MOST_TEXT:,} letters |"
    yield f"| points of a tag that the catalog keeps | {MOST_KEPT} |"


PARTS: dict[str, tuple[str, Callable[[], Iterator[str]]]] = {
    "formats": ("docs/formats.md", formats),
    "limits of formats": ("docs/formats.md", limits),
    "listed formats": ("client/waypoint_resume/unseen.py", listed),
    "rules of health": ("docs/health.md", rules),
    "keys of retention": ("docs/storage.md", retention),
    "sources of metrics": ("docs/metrics.md", metrics),
    "limits of metrics": ("docs/metrics.md", limits_of_metrics),
    "names of searches": ("docs/search.md", names),
    "settings": ("docs/settings.md", settings),
}


def replaced(text: str, part: str) -> str:
    """A file with a part as the code has it now. ValueError where the file has no place for it."""
    path, make = PARTS[part]
    mark = "# {}\n" if path.endswith(".py") else "<!-- {} -->\n"
    begin, end = mark.format(f"{part}: made by make docs"), mark.format(f"end of {part}")
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"{path}: the lines {begin.strip()!r} and {end.strip()!r} are missing")
    return "".join([before, begin, "\n".join(make()), "\n", end, rest.partition(end)[2]])


def main() -> None:
    """Write every part anew."""
    for part, (path, _) in PARTS.items():
        file = HERE / path
        file.write_text(replaced(file.read_text(encoding="utf-8"), part), encoding="utf-8")


if __name__ == "__main__":
    main()
