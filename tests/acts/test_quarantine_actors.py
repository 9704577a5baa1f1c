"""Several processes, each with a home of its own, act on the same run at once: one does it, the others are told."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.acts.batches import batches
from core.acts.journal import Stage
from tests.support.quarantine_cases import folders, in_quarantine, tree
from tests.support.trees import index_of, save, state

HERE = Path(__file__).parents[2]
ACTORS = 3
SAVES = 30


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "a"
    for step in range(1, SAVES + 1):
        save(folder, step)
    state(folder, f"ckpt-{SAVES}", *(f"ckpt-{step}" for step in range(1, SAVES + 1)))
    index_of(save(folder, SAVES + 1)).unlink()
    return folder


@pytest.fixture
def actors(run: Path, tmp_path: Path) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that have made their plans and wait for a word."""
    with ExitStack() as stack:
        made = []
        for number in range(ACTORS):
            places = [str(run.parent), str(tmp_path / f"home-{number}"), run.name]
            command = [sys.executable, "-m", "tests.support.act_on_run", *places]
            made.append(
                stack.enter_context(
                    subprocess.Popen(command, cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                )
            )
        assert [answer(actor) for actor in made] == ["ready"] * ACTORS
        yield made
        for actor in made:
            assert actor.stdin is not None
            actor.stdin.close()


def answer(actor: "subprocess.Popen[str]") -> str:
    assert actor.stdout is not None
    return actor.stdout.readline().strip()


def told(actors: list["subprocess.Popen[str]"], word: str) -> list[str]:
    """Tell all of them at once; what they answer, the one that did it first."""
    for actor in actors:
        assert actor.stdin is not None
        actor.stdin.write(f"{word}\n")
        actor.stdin.flush()
    return sorted(answer(actor) for actor in actors)


@pytest.mark.soak
def test_one_does_the_work_and_the_others_are_told(run: Path, actors: list["subprocess.Popen[str]"], more: int) -> None:
    before, below = tree(run), folders(run)
    for number in range(1, more + 1):
        done, *rest = told(actors, "quarantine")
        assert done == f"did {SAVES}"
        assert rest == ["told it is no longer there, or no longer what it was"] * (ACTORS - 1)
        assert in_quarantine(run).keys() == before.keys() - tree(run).keys()
        assert len(batches(run).batches) == number
        done, *rest = told(actors, "undo")
        assert done == f"did {2 * SAVES - 1}"
        assert [line.startswith("told StageError: Batch") and "is undone already" in line for line in rest] == [
            True,
            True,
        ]
        assert (tree(run), folders(run)) == (before, below)
        assert told(actors, "plan") == ["ready"] * ACTORS
    told(actors, "quarantine")
    done, *rest = told(actors, "purge")
    assert done == f"did {2 * SAVES - 1}"
    assert all(line.startswith("told") for line in rest)
    assert batches(run).batches[0].stage is Stage.PURGED
    assert sorted(tree(run)) == ["checkpoint", f"ckpt-{SAVES}.data-00000-of-00001", f"ckpt-{SAVES}.index"]
