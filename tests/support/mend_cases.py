"""A run on disk and its mending desk, without a catalog, for the tests of mending."""

from dataclasses import replace
from pathlib import Path

from core.base.records import Checkpoint, Root, Run, StateFile
from core.mend.of_run import MendDesk, Refusal
from core.mend.propose import Proposal
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk
from waypoint_resume.file_names import read_name

RUN = "exp/a"
STATE = f"{RUN}/ckpts/checkpoint"


def a_desk(
    root: Path, *numbers: int, status: str = "idle", live_window: float = 0.0, decisions_dir: Path | None = None
) -> MendDesk:
    """A run with the checkpoints ckpt-NUMBER, written now; its state file, if there is one, is not touched."""
    members = tuple(on_disk(root, named(number)) for number in numbers)
    return MendDesk(
        root=Root(id="r00t", path=str(root)),
        run=in_state(status),
        members=members,
        states=(StateFile(path=STATE),),
        live_window=live_window,
        decisions_dir=decisions_dir,
    )


def named(number: int) -> Checkpoint:
    """A whole bundle, saved in the hour of its number."""
    made = a_checkpoint(number)
    return made._replace(stem=read_name(made.path.rpartition("/")[2]).stem)


def in_state(status: str) -> Run:
    """The run as the catalog's row has it."""
    return replace(a_run(status, RUN), changed_at=NOW)


def only(found: tuple[Proposal | Refusal, ...]) -> Proposal:
    """The proposal, if there is just that."""
    (proposal,) = found
    assert isinstance(proposal, Proposal), proposal
    return proposal
