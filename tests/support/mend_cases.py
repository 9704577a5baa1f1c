"""A run on disk and its mender, without a catalog, for the tests of mending."""

from dataclasses import replace
from pathlib import Path

from core.base.records import Checkpoint, Root, StateFile
from core.mend.of_run import Mender, Refusal
from core.mend.propose import MendProposal
from core.runfolder.run_folder import Liveness, RunFolder
from tests.support.resume_cases import a_checkpoint, a_run, on_disk
from waypoint_resume.file_names import read_name

RUN = "exp/a"
STATE = f"{RUN}/ckpts/checkpoint"


def a_mender(
    root: Path, *numbers: int, status: str = "idle", live_window: float = 0.0, decisions_dir: Path | None = None
) -> Mender:
    """A run with the checkpoints ckpt-NUMBER, written now; its state file, if there is one, is not touched."""
    members = tuple(on_disk(root, named(number)) for number in numbers)
    place = RunFolder.of(Root(id="r00t", path=str(root)), RUN, decisions_dir)
    return Mender(
        run_folder=replace(place, liveness=Liveness(live_window=live_window)),
        run=a_run(status, RUN),
        members=members,
        states=(StateFile(path=STATE),),
    )


def named(number: int) -> Checkpoint:
    """A whole bundle, saved in the hour of its number."""
    made = a_checkpoint(number)
    return made._replace(stem=read_name(made.path.rpartition("/")[2]).stem)


def only(found: tuple[MendProposal | Refusal, ...]) -> MendProposal:
    """The proposal, if there is just that."""
    (proposal,) = found
    assert isinstance(proposal, MendProposal), proposal
    return proposal
