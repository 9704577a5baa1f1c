"""Which checkpoint a start restores."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.afresh import PassedOver, judge_failure, require_nothing_lost
from waypoint_resume.bundle import Bundle
from waypoint_resume.checkpoints import USELESS_SPAN, Found, find_checkpoints, found_at
from waypoint_resume.claim import Decision
from waypoint_resume.clock import seconds_of
from waypoint_resume.damage import bundle_prefix
from waypoint_resume.errors import MismatchError, ResumeError
from waypoint_resume.file_names import read_name
from waypoint_resume.files import names_in_folder, read_record
from waypoint_resume.finite import told_non_finite
from waypoint_resume.inventory import is_keras_hdf5
from waypoint_resume.keras_files import keras_plan
from waypoint_resume.kill_window import kept_states, prefer_kept
from waypoint_resume.legacy_hdf5 import hdf5_plan
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.manifest import check_files
from waypoint_resume.moments import has_year
from waypoint_resume.names import from_text
from waypoint_resume.objects import keras_generation
from waypoint_resume.orbax_step import orbax_plan
from waypoint_resume.other_fits import of_this_fit

_REFUSED = {
    "tf-v1": "is TF1's kind, saved by name: restore it with tf.compat.v1.train.Saver",
    "weights-h5-sharded": "is sharded, which this client does not restore: use model.load_weights",
}


def require_restorable(name: str, kind: str, live: Live) -> None:
    """ResumeError for a checkpoint of a format that this job cannot restore, whatever is in it."""
    if kind in _REFUSED:
        raise ResumeError(f"{name} {_REFUSED[kind]}.")
    if live.root is None and kind in ("tf-bundle", "saved-model"):
        raise ResumeError(
            f"{name} holds TensorFlow's objects, and Keras runs on {live.backend} here. Go on with "
            "KERAS_BACKEND=tensorflow, or load it there once and save what every backend reads: "
            "model.save_weights('….weights.h5')."
        )
    if live.model is None and kind != "tf-bundle":
        raise ResumeError(f"{name} has the format {kind}: pass the Keras model as model= to resume().")
    if kind == "saved-model" and keras_generation(live.model) != 2:
        raise ResumeError(f"{name} is a SavedModel, which training goes on from in tf-keras only.")


def plan_for(path: Path, kind: str, live: Live) -> LoadPlan:
    """Match a checkpoint with the job's objects. ResumeError for a format that this job cannot restore."""
    require_restorable(path.name, kind, live)
    if kind == "tf-bundle":
        return Bundle(bundle_prefix(path), live).plan()
    if kind == "saved-model":
        import tensorflow as tf

        return Bundle(str(path / "variables" / "variables"), live, tf.train.Checkpoint(live.model)).plan()
    live.build_by_names()  # no other format tells what an optimizer trains
    return {"keras": keras_plan, "weights-h5": keras_plan, "hdf5": hdf5_plan, "orbax": orbax_plan}[kind](path, live)


def eligible_checkpoints(run: Path, live: Live) -> list[Found]:
    """The run's checkpoints of the formats that this job can restore; a manager's are its own only."""
    found = list(find_checkpoints(run)) if live.manager is None else list(_of_manager(run, live.manager))
    found = [item for item in found if item.format != "hdf5" or is_keras_hdf5(run / item.path)]
    if live.model is None:
        found = [item for item in found if item.format == "tf-bundle"]
    elif live.manager is None and live.checkpoint is None and keras_generation(live.model) == 3:
        found = [item for item in found if item.format != "saved-model"]
    saved = [item.saved for item in found]
    is_useless = len(found) > 1 and max(saved) - min(saved) <= USELESS_SPAN

    listed = getattr(live.manager, "checkpoints", ())  # in the order of its saves, which may count from two counters
    ranks = {os.path.realpath(path): rank for rank, path in enumerate(listed)}
    names = {item.path: read_name(os.path.basename(item.path)) for item in found}
    moments = {name.moment for name in names.values()}
    is_dated = len(moments) > 1 and all(moment is not None and has_year(moment) for moment in moments)

    def order(item: Found) -> tuple[object, ...]:
        rank, name = ranks.get(os.path.realpath(run / item.path), -1), names[item.path]
        return (name.moment if is_dated else 0, 0.0 if is_useless else item.saved, rank, name.order, item.path)

    return sorted(found, key=order, reverse=True)


def _of_manager(run: Path, manager: Any) -> Iterator[Found]:  # noqa: ANN401
    """A CheckpointManager's own checkpoints, also where a link in the run leads to its folder."""
    real = Path(os.path.realpath(manager.directory))
    given = Path(os.path.abspath(manager.directory))
    place = next((p for p in (real, Path(os.path.realpath(given.parent)) / given.name) if p.is_relative_to(run)), None)
    own = re.compile(re.escape(Path(manager._checkpoint_prefix).name) + r"-\d+")  # noqa: SLF001
    names = names_in_folder(place) if place is not None else set()
    for name in (name.removesuffix(".index") for name in names if name.endswith(".index")):
        if place is not None and own.fullmatch(name) and any(other.startswith(f"{name}.data-") for other in names):
            yield found_at(run, place / name, "tf-bundle", place / f"{name}.index")


def _first_that_fits(
    decision: Decision,
    found: Sequence[Found],
    live: Live,
    passed: list[PassedOver],
    accepts: Callable[[LoadPlan], bool] = lambda _plan: True,
) -> tuple[Found, LoadPlan] | None:
    """The first whose every tensor is read and fits; `passed` gets the others before it, each with its reason. Those
    with optimizer state go before those without.
    """
    weights_only: tuple[Found, LoadPlan] | None = None
    for item in found:
        path = decision.readable / item.path
        try:
            plan = plan_for(path, item.format, live)
            if not accepts(plan):
                reason = "older than the manifest's, or without optimizer state."
                passed.append(PassedOver(item.path, reason, ResumeError(reason)))
                continue
            plan.read()
        except ResumeError as error:
            passed.append(PassedOver(item.path, str(error), error))
            continue
        except Exception as error:  # noqa: BLE001 - readers raise whatever they like
            passed.append(judge_failure(path, item.path, item.format, error))
            continue
        if plan.differences:
            mismatch = MismatchError(item.path, plan.differences)
            reason = f"it does not fit the model: {plan.differences[0]}"
            passed.append(PassedOver(item.path, reason, mismatch))
        elif names := plan.non_finite():
            diverged = ResumeError(_no_way_back(item.path, names))
            passed.append(PassedOver(item.path, f"it {told_non_finite(names)}.", diverged))
        elif plan.has_optimizer or not live.optimizers:
            return item, plan
        else:
            weights_only = weights_only or (item, plan)
    return weights_only


def _no_way_back(path: str, names: list[str]) -> str:
    return f"{path} {told_non_finite(names)}: training diverged before it was saved. Go on from an earlier one."


def choose_checkpoint(decision: Decision, live: Live, told: list[str]) -> tuple[Found, LoadPlan] | None:
    """What the job restores; None for a fresh start."""
    run, manifest = decision.run, decision.manifest
    passed: list[PassedOver] = []
    if manifest is None:
        found, others = of_this_fit(eligible_checkpoints(run, live), decision, live.callbacks)
        found, why = prefer_kept(found, *kept_states(decision))
        told += [*others, *why]
        chosen = _first_that_fits(decision, found, live, passed)
        told += [str(item) for item in passed if chosen is not None or item.error is None]
        if chosen is None:
            require_nothing_lost(run, passed, told)
        return chosen
    picked = manifest["checkpoint"]
    is_begun = manifest["mode"] != "rewind" or (decision.claim or {}).get("rewound_at")
    if decision.is_restart and decision.claim is not None and is_begun:
        begun = decision.claim.get("rewound_at") or decision.claim["claimed_at"]
        claimed, least = seconds_of(begun) or 0.0, manifest["restore"]["initial_step"]
        later = [item for item in eligible_checkpoints(run, live) if item.saved >= claimed]
        needs_optimizer = picked["contents"] != "weights_only" and bool(live.optimizers)

        def follows(plan: LoadPlan) -> bool:
            is_later = least is None or plan.step is None or plan.step >= least
            return is_later and (plan.has_optimizer or not needs_optimizer)

        pick = Found(from_text(picked["path"]), picked["format"], 0.0)
        ordered, why = prefer_kept([*later, pick], *kept_states(decision))
        told += why
        later = [] if ordered[0] is pick else [item for item in ordered if item is not pick]
        newest = _first_that_fits(decision, later, live, passed, follows)
        told += map(str, passed)
        if newest is not None:
            return newest
        check_files(run, manifest)
    name = from_text(picked["path"])
    plan = _plan_of_pick(decision.readable / name, name, picked["format"], live)
    if plan.differences:
        raise MismatchError(picked["path"], plan.differences)
    if names := plan.non_finite():
        raise ResumeError(_no_way_back(picked["path"], names))
    return Found(name, picked["format"], 0.0), plan


def _plan_of_pick(path: Path, name: str, kind: str, live: Live) -> LoadPlan:
    try:
        return plan_for(path, kind, live)
    except ResumeError:
        raise
    except Exception as error:  # readers raise whatever they like
        raise ResumeError(f"{name}: {judge_failure(path, name, kind, error).reason} Nothing was loaded.") from error


def recorded_epoch(run: Path, path: str) -> int | None:
    """How many epochs are done, where a name or BackupAndRestore's record tells."""
    name = (run / path).name
    if name.startswith("latest.weights.h5"):
        record = read_record((run / path).with_name(f"training_metadata.json{name[17:]}")) or {}
        return record["epoch"] if type(record.get("epoch")) is int else None
    return read_name(name).epoch
