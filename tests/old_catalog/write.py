"""Writes the catalog of a small root as SQL, with the code of an earlier commit: what an upgrade finds.

`catalog_2d5a4b9.sql` was made so, in a checkout of that commit:

    python …/tests/old_catalog/write.py > …/tests/old_catalog/catalog_2d5a4b9.sql

The root holds `good` with ckpt-1 and ckpt-2, and `bad` with ckpt-1, one of whose bits is flipped; both checkpoints
with number 1 are verified, and two audits are made, a day apart by what the catalog says, between which `good` grew by
ckpt-2. In the SQL the root's path is /ROOT, its id ROOT-ID and the id of the set of roots SCOPE-ID: a test puts its
own there.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, ".")

from core.catalog.filters import CheckpointFilter
from core.catalog.tables import snapshots
from core.config.settings import Settings
from core.services import disk_space
from core.services.verifying import keep_verification
from core.services.workspace import Workspace
from core.verify.run import verify
from tests.support.trees import flip, save

DAY_US = 86_400 * 1_000_000


def main() -> None:
    """Make the root and print its catalog."""
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "root"), Path(folder, "home")
        save(root / "good", 1)
        flip(save(root / "bad", 1))
        workspace = Workspace.open(Settings(roots=(str(root),), home=home))
        workspace.refresh()
        for item in workspace.reader.checkpoints(CheckpointFilter(), limit=None).items:
            keep_verification(workspace, item, verify(str(root), item))
        disk_space.audit(workspace)
        with workspace.engine.begin() as connection:
            connection.execute(snapshots.update().values(at_us=snapshots.c.at_us - DAY_US))
        save(root / "good", 2)
        workspace.refresh()
        disk_space.audit(workspace)
        (own,) = workspace.reader.roots()
        workspace.close()
        with sqlite3.connect(home / "catalog.sqlite3") as database:
            (scope,) = database.execute("SELECT scope FROM audits").fetchone()
            text = "\n".join(database.iterdump())
        for value, name in ((str(root), "/ROOT"), (own.id, "ROOT-ID"), (scope, "SCOPE-ID")):
            text = text.replace(value, name)
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
