"""The table in docs/formats.md that the registry makes: `python -m core.formats.doc` prints it."""

from collections.abc import Iterator

from core.formats.registry import SPECS
from core.formats.spec import FormatSpec

BEGIN, END = "<!-- made by python -m core.formats.doc -->", "<!-- end of formats -->"


def table() -> str:
    """A row for each format: which files make a checkpoint, what of roles is told, who verifies and who goes on."""
    return "\n".join([BEGIN, *_lines(), END])


def _lines() -> Iterator[str]:
    yield "| format | shown as | files of one checkpoint | roles told | verified | resumed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for spec in SPECS:
        roles = ", ".join(sorted(role.value for role in spec.roles)) if len(spec.roles) > 1 else "no"
        cells = (f"`{spec.format.value}`", spec.label, spec.files_told, roles, _verified(spec), _resumed(spec))
        yield f"| {' | '.join(cells)} |"


def _verified(spec: FormatSpec) -> str:
    return f"yes; `--restore`: {spec.trial.library}" if spec.trial is not None else f"not told: {spec.not_verified}"


def _resumed(spec: FormatSpec) -> str:
    return "yes" if spec.is_resumable else "listed, not resumable here"


if __name__ == "__main__":
    print(table())  # noqa: T201 (the command's output)
