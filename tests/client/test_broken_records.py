"""Records that were broken or made by hand, and what a job says of them; that it says everything once."""

import subprocess
import sys
from pathlib import Path

import pytest

from waypoint_resume.claim import Decision
from waypoint_resume.errors import RunIsBusy
from waypoint_resume.identity import identity_of
from waypoint_resume.kept_state import find_state
from waypoint_resume.lease import Lease
from waypoint_resume.state_store import StateStore


def test_a_lease_that_cannot_be_read_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / ".waypoint" / "lease.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(RunIsBusy, match=r"lease\.json cannot be read.*remove it if no job works in this run") as caught:
        Lease(tmp_path).take()
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    ("position", "step", "is_used"),
    [
        ({"epoch": 3, "batch": 2, "step": 14}, 14, True),
        ({"epoch": 200, "batch": 0, "step": 1}, 1, True),  # an optimizer that began anew within a training
        ({"epoch": 999_999, "batch": 0, "step": 14}, 14, False),
        ({"epoch": 0, "batch": 999_999, "step": 14}, 14, False),
        ({"epoch": 10**12, "batch": 0, "step": None}, None, False),
    ],
)
def test_epochs_that_the_step_contradicts_are_not_believed(
    tmp_path: Path, position: dict[str, int | None], step: int | None, is_used: bool
) -> None:
    (tmp_path / "e.keras").write_bytes(b"weights")
    StateStore(tmp_path, tmp_path).keep(identity_of(tmp_path, "e.keras"), {"position": position})
    found = find_state(Decision(tmp_path, tmp_path, "job"), "e.keras", step)
    assert (found.state is not None) == is_used
    assert is_used or "is not used: it tells" in str(found.problem)


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_a_job_that_sets_logging_up_hears_each_message_once(when: str) -> None:
    setup = "import logging; logging.basicConfig(format='%(message)s')"
    lines = {"before": [setup, "speak()"], "after": ["speak()", setup], "never": ["speak()"]}[when]
    program = "\n".join(["from waypoint_resume.log import LOG, speak", *lines, "LOG.warning('said')"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "said\n"
