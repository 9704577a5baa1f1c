"""The parts of these pages that tables in the code make: `make docs` writes them anew, and a test says when to."""

from collections.abc import Callable, Iterator
from pathlib import Path

from core.config.settings import table
from core.formats.registry import SPECS
from core.formats.spec import FormatSpec
from core.health.rule import Family
from core.health.rules import RULES
from core.retention.keys import Key
from core.retention.rules import KEYS

HERE = Path(__file__).parent


def formats() -> Iterator[str]:
    """A row for each format: which files make a checkpoint, what of roles is told, who verifies and who goes on."""
    yield "| format | shown as | files of one checkpoint | roles told | verified | resumed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for spec in SPECS:
        roles = ", ".join(sorted(role.value for role in spec.roles)) if len(spec.roles) > 1 else "no"
        resumed = "yes" if spec.is_resumable else "listed, not resumable here"
        cells = (f"`{spec.format.value}`", spec.label, spec.files_told, roles, _verified(spec), resumed)
        yield f"| {' | '.join(cells)} |"


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


PARTS: dict[str, tuple[str, Callable[[], Iterator[str]]]] = {
    "formats": ("formats.md", formats),
    "rules of health": ("health.md", rules),
    "keys of retention": ("storage.md", retention),
    "settings": ("settings.md", settings),
}


def replaced(text: str, part: str) -> str:
    """A page with a part as the code has it now. ValueError where the page has no place for it."""
    begin, end = f"<!-- {part}: made by make docs -->\n", f"<!-- end of {part} -->"
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"docs/{PARTS[part][0]}: the lines {begin.strip()!r} and {end!r} are missing")
    return "".join([before, begin, "\n".join(PARTS[part][1]()), "\n", end, rest.partition(end)[2]])


def main() -> None:
    """Write every part anew."""
    for part, (name, _) in PARTS.items():
        page = HERE / name
        page.write_text(replaced(page.read_text(encoding="utf-8"), part), encoding="utf-8")


if __name__ == "__main__":
    main()
