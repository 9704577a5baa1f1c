"""What is said of damaged checkpoints is what their library does with them: each file of each format removed, emptied,
cut, flipped, extended; and docs/formats.md shows it.

`python -m tests.formats.test_damages` prints the table for that page.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from tests.support.damages import BRACKETS, KINDS, PART, WHOLE
from tests.support.writers import run_together

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
PROGRAM = ("-m", "tests.support.write_damaged")
START, END = "<!-- damages: python -m tests.formats.test_damages -->\n", "<!-- end of damages -->\n"
# Damaged samples of which nothing is said, since they are no checkpoint by any sign.
UNLISTED = {("TF1 V1 file", ".meta")}
CHUNK = re.compile(r"/\d+(?:\.\d+)*$")  # of an array that lies in files of its own
BY_CONTENT = "by what it holds"  # of files whose names and contents are shared out anew each time
COLUMNS = (*KINDS, BRACKETS)


class Case(NamedTuple):
    """One damage, and all answers. `refusal` is the library's ('' where it restores); `findings` are a scan's, None
    where it lists nothing; `outcome` and `detail` a verification's; `tried` and `told` those of the trial restore.
    """

    sample: str
    file: str
    kind: str
    refusal: str
    findings: list[str] | None
    outcome: str
    detail: str
    tried: bool
    told: str

    @property
    def loads(self) -> bool:
        """Whether the library restores it."""
        return not self.refusal

    @property
    def restorable(self) -> bool:
        """What a scan says."""
        return self.findings == []

    @property
    def verified(self) -> bool:
        """What a verification with a trial restore says."""
        return self.outcome == "verified" and self.tried

    @property
    def is_not_told(self) -> bool:
        """Whether the verification says itself that it did not look there, although the checkpoint seems whole."""
        _, _, parts = self.detail.partition("Not told: ")
        name = self.file.rpartition("/")[2]
        return self.restorable and (f"the graph in {name}" in parts or ("assets/" in self.file and "assets" in parts))

    @property
    def cell(self) -> str:
        """How the table shows it."""
        if self.findings is None:
            return "restores, not listed" if self.loads else "no"
        if self.is_not_told:
            return "not told"
        if self.loads:
            return "restores"
        return "verify" if self.restorable else "no"


def ask(folder: Path) -> list[Case]:
    """Every damage with its answers, by two processes side by side."""
    run_together([[*PROGRAM, str(folder), kind] for kind in ("tensorflow", "orbax")])
    return [
        Case(*row)
        for kind in ("tensorflow", "orbax")
        for row in json.loads((folder / f"library-{kind}.json").read_text(encoding="utf-8"))
    ]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Asked once."""
    return ask(tmp_path_factory.mktemp("damages"))


def test_there_are_more_than_300_and_whole_ones_restore(cases: list[Case]) -> None:
    assert len([case for case in cases if case.kind in KINDS]) > 300
    whole = [case for case in cases if case.kind == WHOLE]
    assert len(whole) > 20
    assert [case for case in whole if not (case.loads and case.restorable and case.verified)] == []
    assert {case.sample for case in cases if case.loads} == {case.sample for case in cases}


def test_what_is_called_damaged_the_library_refuses(cases: list[Case]) -> None:
    wrong = [case for case in cases if case.loads and case.findings and not case.is_not_told]
    assert wrong == []
    unlisted = [case for case in cases if case.loads and case.findings is None]
    assert [case for case in unlisted if not any(case.sample == s and case.file.endswith(f) for s, f in UNLISTED)] == []


def test_what_the_library_refuses_is_not_called_restorable(cases: list[Case]) -> None:
    """But for what a scan does not read, bytes of values and chunks that are files: that a verification finds, or says
    that it did not look.
    """
    silent = [case for case in cases if not case.loads and case.restorable and not case.is_not_told]
    assert [case for case in silent if case.outcome != "damaged"] == []
    assert [case for case in silent if "flipped" not in case.kind and not CHUNK.search(case.file)] == []
    assert [case for case in silent if case.kind in ("removed", "emptied")] == []


def test_verified_is_what_the_library_restores(cases: list[Case]) -> None:
    listed = [case for case in cases if case.findings is not None and not case.is_not_told]
    assert [case for case in listed if case.verified is not case.loads] == []
    assert [case for case in listed if (case.outcome == "verified") is not case.loads and case.kind != BRACKETS] == []


def test_a_trial_restore_reads_at_least_one_value(cases: list[Case]) -> None:
    assert [case for case in cases if case.tried and " read all 0 " in case.told] == []


def test_the_page_shows_these_answers(cases: list[Case]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition(START)[2].partition(END)[0]
    assert shown == table(cases), "python -m tests.formats.test_damages, and put it into docs/formats.md"


def table(cases: list[Case]) -> str:
    """The table, a row for each file of each sample. Names that differ each time are told by their folder."""
    rows: dict[tuple[str, str], dict[str, set[str]]] = {}
    for case in cases:
        if case.kind != WHOLE:
            key = (case.sample, f"`{_shown(case.file)}`" if case.file else "all of it")
            cell = BY_CONTENT if "process_0/d/" in case.file else case.cell
            rows.setdefault(key, {}).setdefault(case.kind, set()).add(cell)
    head = ["format", "file", *COLUMNS]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join((sample, file, *_cells(found))) for (sample, file), found in sorted(rows.items())]
    return "".join(f"| {line} |\n" for line in lines)


def _cells(found: Mapping[str, set[str]]) -> list[str]:
    return [" or ".join(sorted(found.get(kind, set()))) for kind in COLUMNS]


def _shown(file: str) -> str:
    """A file's name without what is made by chance, and without the step's folder."""
    parts = ["…" if len(part) == 32 and part.isalnum() else part for part in file.split("/")]
    return "/".join(parts).replace(PART, " → ")


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        sys.stdout.write(table(ask(Path(place))))
