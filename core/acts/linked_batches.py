"""Links that lead to what lies in a batch: while there are some, no purge deletes it."""

import os
from pathlib import Path

from core.acts.journal import Journal
from core.retention.links import Links, reason
from core.runfolder.run_folder import RunFolder
from waypoint_resume.names import folders_above, from_text, to_text


def why_linked(links: Links, run_folder: RunFolder, batch: Path, journal: Journal) -> str | None:
    """The first link that leads into a batch's folder, or to the old place of one of its things, if nothing stands
    there by now: an undo would make that link whole again. None where there is none.
    """
    for _, link in links.within(str(batch)):
        return f"batch {batch.name}: {reason(link, run_folder.root_path, run_folder.run)}"
    waiting = {
        place: item.path
        for item in journal.items
        if not any(os.path.lexists(run_folder.folder / file.name) for file in item.files)
        for place in (from_text(item.path), *(file.name for file in item.files))
    }
    for target, link in links.within(str(run_folder.folder)) if waiting else ():
        found = next((waiting[place] for place in (target, *folders_above(target)) if place in waiting), None)
        if found is not None:
            return f"{to_text(found)}: {reason(link, run_folder.root_path, run_folder.run)}"
    return None
