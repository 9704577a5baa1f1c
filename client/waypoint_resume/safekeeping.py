"""What a start does before the job saves anything, so that nothing is lost: copies, and what stands in the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from waypoint_resume.afresh import clear_the_way
from waypoint_resume.checkpoint_files import files_of
from waypoint_resume.checkpoints import Found, is_killed_save
from waypoint_resume.claim import Decision
from waypoint_resume.errors import ResumeError
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.journal import REWOUND
from waypoint_resume.kept import is_former, keep_files, keep_pick, kept_in, release_kept
from waypoint_resume.killed_save import drop_killed, keep_killed
from waypoint_resume.pick import picked_path
from waypoint_resume.places import HIDDEN
from waypoint_resume.rewind import follow_rewind
from waypoint_resume.weights_alone import note_taken, taken_weights

if TYPE_CHECKING:
    from waypoint_resume.start import Start


def begin_anew(start: Start, source: Found) -> None:
    """Nothing that the training could save over is lost: a copy of the source is kept, and all else set aside."""
    decision = start._decision  # noqa: SLF001
    taken = taken_weights(decision)
    if taken is None or (decision.manifest is not None and taken.id != decision.manifest["id"]):
        taken = note_taken(decision, source)
    if problem := keep_files(decision, source.path, source.format, files_of(decision.run, source), taken.id):
        start.warnings.append(problem)
    tell_moved(start, clear_the_way(decision, source))


def tell_moved(start: Start, moved: Sequence[str]) -> None:
    """Say what was set aside, and let the job's manager know."""
    if moved:
        names = ", ".join(moved)
        start.warnings.append(
            f"Set aside in {HIDDEN}/{REWOUND}, from where {on_the_dashboards_machine('undo RUN')} brings it back: "
            f"{names}."
        )
        manager = start._live.manager  # noqa: SLF001
        if manager is not None:
            follow_rewind(manager)


def looked_after(decision: Decision, path: str, *, is_picked: bool) -> Iterator[str]:
    """Keep what was handed over, and let go what was kept for manifests that are over; what is to be said of it."""
    manifest = decision.manifest
    if is_picked and manifest and path == picked_path(manifest) and (problem := keep_pick(decision, path)):
        yield problem
    if not is_killed_save(path):
        drop_killed(decision.home)
    elif problem := keep_killed(decision, path):
        yield problem
    current = [str(manifest["id"])] if manifest is not None else []
    current += [item.manifest for item in kept_in(decision.home) if is_killed_save(item.path) or is_former(item)]
    with contextlib.suppress(ResumeError):  # a record that only a start with weights alone must understand
        taken = taken_weights(decision)
        current += [] if taken is None else [taken.id]
        # Its training may have ended before it came to save over that one, which this one does.
        if taken is not None and taken.is_source(decision.run, taken.source):
            names = files_of(decision.run, Found(taken.source, taken.format, 0.0))
            if problem := keep_files(decision, taken.source, taken.format, names, taken.id):
                yield problem
    yield from release_kept(decision.run, decision.home, but=current)
