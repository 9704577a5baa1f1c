"""The pages of docs/, and the list of the job's side, hold what the tables and commands in the code say."""

import pytest
from typer.main import get_command

from core.cli.app import app
from docs.make import HERE, PARTS, replaced


@pytest.mark.parametrize("part", PARTS)
def test_a_file_holds_what_its_table_in_the_code_says(part: str) -> None:
    path = PARTS[part][0]
    text = (HERE / path).read_text(encoding="utf-8")
    assert text == replaced(text, part), f"{path} is out of date: make docs"


def test_the_page_of_the_shell_names_every_command_and_option() -> None:
    page = (HERE / "docs/cli.md").read_text(encoding="utf-8")
    linked = "".join((HERE / "docs" / name).read_text(encoding="utf-8") for name in ("storage.md", "mend.md"))
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if f"| `{name}" not in page] == []
    options = {option for one in commands.values() for item in one.params for option in item.opts if "--" in option}
    assert len(options) > 30
    assert [option for option in sorted(options) if option not in page + linked] == []
