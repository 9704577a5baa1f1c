"""Which checkpoint a start restores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.afresh import PassedOver, judge_failure, require_nothing_lost
from waypoint_resume.bundle import Bundle
from waypoint_resume.checkpoints import Found, name_of_save
from waypoint_resume.claim import Decision
from waypoint_resume.clock import seconds_of
from waypoint_resume.damage import bundle_prefix
from waypoint_resume.errors import ResumeError
from waypoint_resume.file_names import read_name
from waypoint_resume.files import read_record
from waypoint_resume.finite import told_non_finite
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.former_saves import with_formers
from waypoint_resume.keras_files import keras_plan
from waypoint_resume.kill_window import kept_states, prefer_kept
from waypoint_resume.killed_save import killed_saves, told_of_killed
from waypoint_resume.legacy_hdf5 import hdf5_plan
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.objects import keras_generation
from waypoint_resume.orbax_step import orbax_plan
from waypoint_resume.other_fits import is_done, of_this_fit
from waypoint_resume.pick import picked_path, place_of_pick
from waypoint_resume.run_tree import RunTree

_REFUSED = {
    "tf-v1": "is TF1's kind, saved by name: restore it with tf.compat.v1.train.Saver",
    "weights-h5-sharded": "is sharded, which this client does not restore: use model.load_weights",
}
_PLANS: dict[str, Callable[..., LoadPlan]] = {
    "keras": keras_plan,
    "keras-folder": keras_plan,
    "weights-h5": keras_plan,
    "hdf5": hdf5_plan,
    "orbax": orbax_plan,
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
        raise ResumeError(f"{name} is a SavedModel, which training goes on from in tf-keras and Keras 2 only.")


def plan_for(path: Path, kind: str, live: Live, *, weights_only: bool = False) -> LoadPlan:
    """Match a checkpoint with the job's objects, or its weights alone. ResumeError for a format that this job cannot
    restore.
    """
    require_restorable(path.name, kind, live)
    if kind == "tf-bundle":
        return Bundle(bundle_prefix(path), live).plan(weights_only=weights_only)
    if kind == "saved-model":
        import tensorflow as tf

        root = tf.train.Checkpoint(live.model)
        return Bundle(str(path / "variables" / "variables"), live, root).plan(weights_only=weights_only)
    if not weights_only:
        live.build_by_names()  # no other format tells what an optimizer trains
    return _PLANS[kind](path, live, weights_only=weights_only)


def first_that_fits(
    decision: Decision,
    found: Sequence[Found],
    live: Live,
    passed: list[PassedOver],
    accepts: Callable[[LoadPlan], bool] = lambda _plan: True,
    *,
    weights_only: bool = False,
) -> tuple[Found, LoadPlan] | None:
    """The first whose every tensor is read and fits; `passed` gets the others before it, each with its reason. Those
    with optimizer state go before those without, unless the weights are all that is wanted.
    """
    without: tuple[Found, LoadPlan] | None = None
    for item in found:
        path = decision.readable / item.path
        try:
            plan = plan_for(path, item.format, live, weights_only=weights_only)
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
            reason = f"it does not fit the model: {plan.differences[0]}"
            passed.append(PassedOver(item.path, reason, plan.mismatch(item.path)))
        elif names := plan.non_finite():
            diverged = ResumeError(_no_way_back(item.path, names))
            passed.append(PassedOver(item.path, f"it {told_non_finite(names)}.", diverged))
        elif plan.has_optimizer or plan.weights_only or not live.optimizers:
            return item, plan
        else:
            without = without or (item, plan)
    return without


def _no_way_back(path: str, names: list[str]) -> str:
    return f"{path} {told_non_finite(names)}: training diverged before it was saved. Go on from an earlier one."


def choose_checkpoint(
    decision: Decision, live: Live, told: list[str], *, weights_only: bool = False
) -> tuple[Found, LoadPlan] | FitMark | None:
    """What the job restores; None for a fresh start; or the later fit() in which that was saved, where the running one
    was done before. `told` gets what is to be said of it. `weights_only`: of what a manifest names, the weights alone.
    """
    if decision.manifest is None:
        return _newest(decision, live, told)
    if decision.is_restart:
        newest = _saved_since(decision, decision.manifest, live, told, weights_only=weights_only)
        if newest is not None:
            return newest
    return _pick(decision, decision.manifest, live, told, weights_only=weights_only)


def _newest(decision: Decision, live: Live, told: list[str]) -> tuple[Found, LoadPlan] | FitMark | None:
    """Where nobody handed anything over: the newest that fits."""
    passed: list[PassedOver] = []
    tree = RunTree(decision.run)
    found, others, later = of_this_fit(with_formers(decision, live, tree), decision, live)
    if later is not None:
        return later
    if live.order is not None and live.order.is_later:
        told += others
        return None
    found, why = prefer_kept(found, *kept_states(decision))
    if found and (done := is_done(decision, live, found[0].path)) is not None:
        return done
    told += [*others, *why]
    chosen = first_that_fits(decision, found, live, passed)
    if chosen is None:
        chosen = _killed(decision, tree, live, passed, told)
    told += [str(item) for item in passed if chosen is not None or item.error is None]
    if chosen is None:
        require_nothing_lost(tree, passed, told)
    return chosen


def _killed(
    decision: Decision, tree: RunTree, live: Live, passed: list[PassedOver], told: list[str]
) -> tuple[Found, LoadPlan] | None:
    """What a kill left of a save in TensorFlow's temporary folder, where it is whole; of a script's later fit() nobody
    knows which one it was.
    """
    if live.order is not None and live.order.mark.number > 0:
        return None
    chosen = first_that_fits(decision, killed_saves(tree, decision.home, live), live, passed)
    told += [told_of_killed(chosen[0].path)] if chosen is not None else []
    return chosen


def _saved_since(
    decision: Decision, manifest: Mapping[str, Any], live: Live, told: list[str], *, weights_only: bool
) -> tuple[Found, LoadPlan] | FitMark | None:
    """After a restart: the newest that was saved since the claim and follows the pick; None where the pick counts.

    A rewind that was claimed and not carried out has saved nothing yet. What a kill left without a state goes behind
    the pick too, if that has one.
    """
    claim = decision.claim or {}
    begun = claim.get("rewound_at") if manifest["mode"] == "rewind" else claim["claimed_at"]
    claimed = seconds_of(begun)
    if claimed is None:
        return None
    later = [item for item in with_formers(decision, live) if item.saved >= claimed]
    passed: list[PassedOver] = []
    least = None if weights_only else manifest["restore"]["initial_step"]  # its steps count anew
    needs_optimizer = (
        manifest["checkpoint"]["contents"] != "weights_only" and bool(live.optimizers) and not weights_only
    )

    def follows(plan: LoadPlan) -> bool:
        is_later = least is None or plan.step is None or plan.step >= least
        return is_later and (plan.has_optimizer or not needs_optimizer)

    picks = []
    with contextlib.suppress(ResumeError):  # one that is gone stands behind nothing
        picks = [Found(place_of_pick(decision)[0], manifest["checkpoint"]["format"], 0.0)]
    later = [item for item in later if item.path != picks[0].path] if picks else later
    later, others, other_fit = of_this_fit([*later, *([] if weights_only else picks)], decision, live)
    if other_fit is not None:
        return other_fit
    later, why = prefer_kept([*later, *(picks if weights_only else [])], *kept_states(decision))
    later = later[: later.index(picks[0])] if picks and picks[0] in later else later
    newest = first_that_fits(decision, later, live, passed, follows)
    told += [*why, *others, *map(str, passed)]
    return newest


def _pick(
    decision: Decision, manifest: Mapping[str, Any], live: Live, told: list[str], *, weights_only: bool
) -> tuple[Found, LoadPlan] | FitMark:
    """What the manifest names. ResumeError where that is not there any more, or does not fit."""
    (path, why), picked = place_of_pick(decision), manifest["checkpoint"]
    own, others, other_fit = of_this_fit([Found(path, picked["format"], 0.0)], decision, live)
    if other_fit is not None and not weights_only:  # whose weights they are tells nothing of this training
        return other_fit
    if not own and not weights_only:
        raise ResumeError(f"{' '.join(others)} Hand over one that this one saved, or withdraw the manifest.")
    told += [why] if why is not None else []
    place, name = decision.readable / path, picked_path(manifest)
    plan = _plan_of_pick(place, name, picked["format"], live, weights_only=weights_only)
    if plan.differences:
        raise plan.mismatch(picked["path"])
    if names := plan.non_finite():
        raise ResumeError(_no_way_back(picked["path"], names))
    return Found(path, picked["format"], 0.0), plan


def _plan_of_pick(path: Path, name: str, kind: str, live: Live, *, weights_only: bool) -> LoadPlan:
    try:
        return plan_for(path, kind, live, weights_only=weights_only)
    except ResumeError:
        raise
    except Exception as error:  # readers raise whatever they like
        raise ResumeError(f"{name}: {judge_failure(path, name, kind, error).reason} Nothing was loaded.") from error


def recorded_epoch(run: Path, path: str) -> int | None:
    """How many epochs are done, where a name or BackupAndRestore's record tells."""
    name = os.path.basename(name_of_save(path))
    if name.startswith("latest.weights.h5"):
        record = read_record((run / path).with_name(f"training_metadata.json{name[17:]}")) or {}
        return record["epoch"] if type(record.get("epoch")) is int else None
    return read_name(name).epoch
