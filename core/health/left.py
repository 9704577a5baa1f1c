"""Rules over what a save or a person left: files that are no checkpoint as they are."""

from collections.abc import Iterable

from core.base.records import Finding, Severity
from core.health.rule import Family, Rule
from core.health.run_facts import RunFacts

UNRENAMED_SAVE = Rule(
    id="unrenamed-save",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="A whole save under its temporary name: only the last rename is missing.",
    why="The job was killed right before it, or the file system does not rename folders.",
    action="Rename the folder, or TensorFlow's files in it, to the final name and it can be restored. No plan "
    "takes it.",
    is_damage=False,
)
ORPHAN_SHARD = Rule(
    id="orphan-shard",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="Data shards without an index: nothing can be restored from them.",
    why="TensorFlow's rotation deletes the index first, its save names the shards first: a kill leaves them.",
    action="Fetch the index, if it exists elsewhere. They can go once another checkpoint of their series can be "
    "restored.",
)
PACKED_FILE = Rule(
    id="packed-file",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="A file of the checkpoint is there, but compressed.",
    why="Somebody compressed it to save space, or the archive was not unpacked to its end.",
    action="Unpack it beside the others: the reason names the file. No plan takes what is there.",
    is_damage=False,
)
UNOPENABLE_STEP = Rule(
    id="unopenable-step",
    family=Family.FILES,
    severity=Severity.ERROR,
    meaning="A step of Orbax that says of itself what no CheckpointManager reads: it opens none of the folder's steps.",
    why="A tool wrote `_CHECKPOINT_METADATA` anew, or another file took its place.",
    action="Move that file out of the step: Orbax restores a step without it. No plan takes the step.",
    is_damage=False,
)
INTERRUPTED_SAVE = Rule(
    id="interrupted-save",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="What a save left behind that never finished.",
    why="The job was killed, or the disk was full, in the middle of a save.",
    action="No framework reads it: it can go once another checkpoint of its series can be restored.",
)
RENAMED_COPY = Rule(
    id="renamed-copy",
    family=Family.FILES,
    severity=Severity.INFO,
    meaning="A whole checkpoint under a name by which nothing knows it.",
    why="Somebody put it aside (`model.keras.bak`), or a download was never renamed.",
    action="Give it its ending back, under a free name, to list it and to resume from it. No plan takes it.",
    is_damage=False,
)
DAMAGED_COPY = Rule(
    id="damaged-copy",
    family=Family.FILES,
    severity=Severity.INFO,
    meaning="A checkpoint that was put aside under another name is not whole: it replaces nothing.",
    why="The copy was cut by a full disk or a connection that ended.",
    action="Copy it again from where it came, as long as that is there. No plan takes it.",
    is_damage=False,
)
CLOSED_FOLDER = Rule(
    id="closed-folder",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="A folder of the run may not be looked into by the user that Waypoint runs as: a newer save may lie there.",
    why="Its owner gave the right to look into it to nobody else.",
    action="Ask its owner for the right, before you resume from an older checkpoint. No plan takes it.",
    is_damage=False,
)
RULES = (
    UNRENAMED_SAVE,
    ORPHAN_SHARD,
    PACKED_FILE,
    UNOPENABLE_STEP,
    INTERRUPTED_SAVE,
    RENAMED_COPY,
    DAMAGED_COPY,
    CLOSED_FOLDER,
)
_BY_ID = {rule.id: rule for rule in RULES}


def findings(facts: RunFacts) -> Iterable[Finding]:
    """The finding about each leftover that is not being written."""
    return (_BY_ID[item.rule].finding(item.path, item.reason) for item in facts.leftovers if not item.writing)
