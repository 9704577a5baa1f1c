"""One of several actors, for test_quarantine_actors: a process with a catalog of its own that acts when it is told to.

Arguments: the root, the home, the run. On each line of stdin it carries out the plan that it made before, or
undoes or purges the newest batch, as the line says, and tells how that ended.
"""

import sys
from pathlib import Path

from core.acts.batches import batches
from core.acts.purge import purge
from core.base.errors import BusyError, CoreError
from core.config.settings import Settings
from core.services.workspace import Workspace
from tests.support.quarantine_cases import Case
from tests.support.resume_cases import NOW


def say(text: str) -> None:
    """A line for the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def acted(case: Case, action: str, plan: object) -> str:
    """Act; how it ended."""
    if action == "quarantine":
        done = case.go(plan)  # type: ignore[arg-type]
        reasons = {reason for item in done.left_out for reason in item.reasons}
        return f"did {len(done.journal.items)}" if done.journal else f"told {'; '.join(sorted(reasons))}"
    batch = batches(case.folder).batches[0].id
    if action == "undo":
        return f"did {case.undo(batch).files}"
    return f"did {purge(case.run_folder, batch, confirm=batch, actor='ada', now=NOW).files}"


def main() -> None:
    """See above."""
    root, home, run = sys.argv[1:]
    workspace = Workspace.open(Settings(roots=(root,), home=Path(home), actor="ada"))
    case = Case(root=Path(root), run=run, workspace=workspace)
    plan = case.plan()
    say("ready")
    for line in sys.stdin:
        action = line.strip()
        if action == "plan":
            plan = case.plan()
            say("ready")
            continue
        try:
            say(acted(case, action, plan))
        except BusyError as error:
            say(f"told {error}")
        except CoreError as error:
            say(f"told {type(error).__name__}: {error}")
    workspace.close()


if __name__ == "__main__":
    main()
