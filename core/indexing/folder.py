"""A scan's unit of work: one folder's listing, and what is known of it, to records. Plain, picklable, run anywhere."""

from dataclasses import replace

from core.base.files import Listing, Problem
from core.base.records import Checkpoint, Health
from core.formats import state_file
from core.formats.bundle import BundleCache
from core.formats.registry import spec_of
from core.indexing.checkpoints import is_settled, kept_checkpoint, new_checkpoint, read_ahead_of
from core.indexing.folder_records import FolderResult, FolderTask
from core.indexing.held import NOTHING_HELD, held_instead
from core.indexing.leftovers import leftovers
from core.indexing.renamed import renamed_copies
from core.indexing.reread import Reread
from core.indexing.save_times import dated
from core.indexing.unsettled import Suspects, looks, suspects
from core.runs.group import group
from core.runs.walk import look, signature
from core.stores.store import Store
from core.sweeps.reading import read_trial
from waypoint_resume.names import join, to_text


def read_folder(store: Store, task: FolderTask, cache: BundleCache | None = None) -> FolderResult:
    """Read what changed in a folder. One bad file never hides the rest.

    What is judged broken becomes a finding if it stayed exactly so in further looks, and else counts as being written;
    what went away while it was read is looked for again. `cache` only saves time: what is in it was read from equal
    bytes.
    """
    cache = BundleCache() if cache is None else cache
    result = _read_once(store, task, cache)
    broken, vanished = _suspects(result), _vanished(result)
    if not broken and not vanished:
        return result
    for _ in looks(task.listing, broken, task.now_ns, vanished=vanished):
        again = _look_again(store, task.listing)
        if again is None:
            break
        if vanished or signature(again) != result.signature:
            known = tuple(item for item in result.checkpoints if not item.findings)
            result = _read_once(store, replace(task, listing=again, groups=None, known=known), cache)
        now = _suspects(result)
        broken, vanished = {key: seen for key, seen in broken.items() if now.get(key) == seen}, _vanished(result)
        if not broken and not vanished:
            break
    return _marked_as_writing(replace(result, recheck=result.recheck or result.listing is not task.listing), broken)


def _suspects(result: FolderResult) -> Suspects:
    return suspects(result.checkpoints, result.leftovers, result.states)


def _vanished(result: FolderResult) -> bool:
    return len(result.problems) > len(result.listing.problems)


def _look_again(store: Store, listing: Listing) -> Listing | None:
    """The folder as it is now, empty where it is gone (a save's temporary one); None where it cannot be listed."""
    try:
        return look(store, listing.folder)
    except FileNotFoundError:
        return replace(listing, files=(), subfolders=(), problems=())
    except OSError:
        return None


def _marked_as_writing(result: FolderResult, settled: Suspects) -> FolderResult:
    """What did not stay as it was judged is being written: no finding yet, and looked at again next time."""
    now = _suspects(result)
    moving = {path for (kind, path), seen in now.items() if settled.get((kind, path)) != seen}
    if not moving:
        return result
    return replace(
        result,
        checkpoints=tuple(
            item._replace(findings=(), health=Health.WRITING) if item.findings and item.path in moving else item
            for item in result.checkpoints
        ),
        leftovers=tuple(replace(item, writing=True) if item.path in moving else item for item in result.leftovers),
        states=tuple(replace(item, writing=True) if item.path in moving else item for item in result.states),
        recheck=True,
    )


def _read_once(store: Store, task: FolderTask, cache: BundleCache) -> FolderResult:
    listing = task.listing
    groups = group(listing) if task.groups is None else task.groups
    states = tuple(state_file.read(store, listing.folder, file) for file in groups.states)
    if any(spec_of(one.format).in_state_files for one in groups.checkpoints):
        states += tuple(state_file.others(store, listing.folder, groups.others))
    named = {state_file.base_of(path) for state in states for path in (state.latest or "", *state.history)}
    times = {name: time for state in states for name, time in state_file.times_by_name(state).items()}
    known = {(item.path, item.files): item for item in task.known}
    known_paths = {item.path for item in task.known}
    problems = list(listing.problems)
    checkpoints: list[Checkpoint] = []
    reused = parsed = 0
    again = Reread(task.before)
    ahead = read_ahead_of(store, listing.folder, groups, known)
    for one in groups.checkpoints:
        path = join(listing.folder, one.name) if one.name else listing.folder
        old = known.get((path, one.files))
        if old is not None and is_settled(old) and again.keeps(one.format, old):
            checkpoints.append(dated(kept_checkpoint(store, task, one, old), times))
            reused += 1
            continue
        # A file that got another name elsewhere is no other file: what was known stays no other tool's.
        if old is None and path not in known_paths and again.stays_foreign(one.format):
            continue
        again.reads(one.format)
        try:
            made = new_checkpoint(store, task, one, cache, named, ahead)
        except FileNotFoundError:
            problems.append(Problem(path=to_text(path), problem="went away while it was read"))
            continue
        parsed += 1
        if made is not None:
            checkpoints.append(dated(made, times))
    left = leftovers(listing, groups, task.now_ns, task.grace_ns)
    left += (copies := tuple(renamed_copies(store, listing.folder, listing.files, groups)))
    writing = any(item.health is Health.WRITING for item in checkpoints) or any(item.writing for item in left)
    is_plain = not checkpoints and len(left) == len(copies)
    held = held_instead(store, listing.folder, listing.files) if is_plain else NOTHING_HELD
    return FolderResult(
        listing=listing,
        signature=signature(listing),
        checkpoints=tuple(checkpoints),
        states=states,
        leftovers=left,
        problems=tuple(problems),
        parsed=parsed,
        reused=reused,
        reread=again.count,
        read_by=again.readers,
        held=held,
        recheck=writing or len(problems) > len(listing.problems),
        trial=read_trial(store, listing.folder, {file.name for file in listing.files}),
    )
