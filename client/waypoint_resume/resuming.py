"""`resume()`: the checkpoint that a manifest names, or the newest that fits, restored exactly."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from waypoint_resume.cautions import cautions
from waypoint_resume.checkpoints import Found, is_killed_save
from waypoint_resume.choice import recorded_epoch, require_restorable
from waypoint_resume.clock import moment_text
from waypoint_resume.decision import decide, undecided
from waypoint_resume.errors import ResumeError
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.fit_order import forget_order
from waypoint_resume.jobs import cluster_task, is_chief_task
from waypoint_resume.killed_save import WHY_KILLED
from waypoint_resume.loading import LoadPlan, load_checked
from waypoint_resume.log import LOG, speak
from waypoint_resume.manifest import takes_weights_only
from waypoint_resume.overrides import check_overrides
from waypoint_resume.passing import pass_over
from waypoint_resume.pick import note_restored, picked_path
from waypoint_resume.restored import begin_keeping, restore_state, tell_restored
from waypoint_resume.safekeeping import looked_after
from waypoint_resume.settling import settle
from waypoint_resume.start import Start
from waypoint_resume.start_options import StartOptions
from waypoint_resume.stopping import forget, heed_sigterm
from waypoint_resume.training_state import learning_rates
from waypoint_resume.workers import ask_chief, publish_choice

UNCLEAR_OPTIMIZERS = (
    "What these optimizers train cannot be told: {names}. Call optimizer.build(variables) for each before resume() or "
    "fit(), here and whenever this job is started again, or save by a CheckpointManager and resume(manager=...): else "
    "no later start goes on from what this one saves."
)


def resume(  # noqa: PLR0913 - the job's objects and its wishes, each with a name
    run_dir: str | os.PathLike[str],
    *,
    model: Any = None,  # noqa: ANN401
    checkpoint: Any = None,  # noqa: ANN401
    manager: Any = None,  # noqa: ANN401
    optimizer: Any = None,  # noqa: ANN401
    steps_per_epoch: int | None = None,
    take_over: bool = False,
    chief: bool | None = None,
    fresh: bool = False,
    weights_only: bool = False,
    wait: float | None = None,
    keep: Sequence[Any] = (),
) -> Start:
    """Restore what the run's manifest names, else its newest checkpoint that fits; else say that the start is fresh.

    Pass a built (for fit: compiled) Keras model, or the tf.train.Checkpoint or CheckpointManager that saves, or both.
    Of several workers the chief (by TF_CONFIG, or as `chief` says) decides, and the others restore what it chose.
    A fresh start beside checkpoints that it would not use is refused, unless `fresh` asks for it: then they are set
    aside, undoable. While another job lives it waits `wait` seconds (those of WAYPOINT_WAIT if not given, else none).
    With `weights_only` the model's variables alone are taken, once: the optimizer stays as the job made it, epochs and
    steps count from 0, and all else in the run that this could save over is set aside as well. Started again, the job
    goes on from its own saves with everything.
    With a manager, random generators and the state of the objects in `keep` (those with get_state() and set_state(),
    such as a sampler of your own) are kept beside each of its saves, and put back.
    RunIsBusy after that; MismatchError with every difference; ResumeError. Then nothing was changed.
    """
    options = StartOptions(
        model=model,
        checkpoint=checkpoint,
        manager=manager,
        optimizer=optimizer,
        steps_per_epoch=steps_per_epoch,
        take_over=take_over,
        chief=chief,
        fresh=fresh,
        weights_only=weights_only,
        wait=wait,
        keep=keep,
    )
    return begin(run_dir, options)


def begin(run_dir: str | os.PathLike[str], options: StartOptions) -> Start:
    """`resume()`, also for a fit() whose callbacks and place among this process' are known."""
    speak()
    options.require_sound()
    decision, order, is_later = undecided(run_dir), options.order, options.is_later
    if order is None:
        forget_order(decision.run)  # what the job's own resume() restores is where its next fit() begins
    is_chief = is_chief_task() if options.chief is None else options.chief
    try:
        live = options.live()  # before anything is claimed: it refuses what it cannot fill

        def require(manifest: Mapping[str, Any]) -> None:
            require_restorable(manifest["checkpoint"]["path"], manifest["checkpoint"]["format"], live)

        if is_chief:
            decision = decide(
                run_dir,
                take_over=options.take_over,
                fresh=options.fresh and not is_later,
                weights_only=options.weights_only,
                wait=options.wait,
                require=require,
                follows=not is_later,
            )
        decision.has_workers = cluster_task()[3] > 1 or options.chief is not None
        heed_sigterm(decision)
        said = {} if is_chief or is_later else ask_chief(decision, options.wait)
        start = Start(decision, live, options.steps_per_epoch)
        start.kept_objects = list(options.keep)
        if order is not None and is_later:
            LOG.info("%s: fit() number %s goes on with its model as it is.", decision.run, order.mark.number + 1)
        else:
            start = _start(start, options, said)
        begin_keeping(start)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the reason matters more than that it was noted
            decision.note(error=str(error) or type(error).__name__, error_at=moment_text(time.time()))
        if is_chief and not decision.was_told:
            publish_choice(decision, {"error": str(error)})
        if decision.lease is not None:
            decision.lease.release()
        forget(decision)
        raise
    for warning in start.warnings:
        LOG.warning("%s", warning)
    with contextlib.suppress(ResumeError):  # fit() will tell the steps of an epoch
        if not start.weights_only:  # nor where its own epochs begin
            start.cut_logs(start.locate(None).epoch)
    return start


def _start(start: Start, options: StartOptions, said: Mapping[str, Any]) -> Start:
    decision, live, optimizer = start._decision, start._live, options.optimizer  # noqa: SLF001
    is_chief = decision.lease is not None
    decision.manifest = decision.manifest if is_chief else said["manifest"]
    manifest = decision.manifest
    if manifest is not None:
        start.overrides, start.best = dict(manifest["overrides"]), manifest["restore"]["best_metric"]
        check_overrides(start.overrides, optimizer if optimizer is not None else live.only_optimizer())
    chosen, is_picked = settle(start, said, fresh=options.fresh, weights_only=options.weights_only)
    if isinstance(chosen, FitMark):
        return pass_over(start, chosen)
    if live.order is not None and live.order.target is None:
        live.order.target = live.order.mark.number
    if chosen is None:
        return _begin_afresh(start, "as asked" if options.fresh else "no manifest and no checkpoint")
    found, plan = chosen
    note_restored(decision, found.path, is_picked=is_picked)
    script_rates = learning_rates(live.optimizers)
    load_checked(found.path, plan, live)
    if is_chief:
        start.warnings += looked_after(decision, found.path, is_picked=is_picked)
    for name, value in start.overrides.items() if is_picked else ():  # what was saved since has them, or newer ones
        setattr(optimizer if optimizer is not None else live.only_optimizer(), name, value)
    _place(start, found, plan, is_picked=is_picked)
    why = WHY_KILLED if is_killed_save(found.path) else "no manifest, the newest that fits"
    if manifest is not None:
        why = f"the manifest {manifest['id']}" if is_picked else f"saved since it claimed the manifest {manifest['id']}"
        if is_picked and found.path != (named := picked_path(manifest)):
            why += f", which names {named}: what lies there is another by now"
    start.is_handed_over = is_picked and not decision.is_restart
    start.receipt = restore_state(start, found, plan, why, script_rates, is_picked=is_picked)
    start.warnings += () if start.weights_only else cautions(start, live, decision.run)
    start._remember()  # noqa: SLF001
    tell_restored(start, start.receipt)
    return start


def _begin_afresh(start: Start, why: str) -> Start:
    """Nothing is restored. ResumeError where the manager knows of something that was not found."""
    decision, live = start._decision, start._live  # noqa: SLF001
    latest = live.manager.latest_checkpoint if live.manager is not None else None
    if latest is not None and os.path.exists(f"{latest}.index"):
        raise ResumeError(
            f"The manager's latest checkpoint is {latest}, and nothing was found to restore: a fresh start would save "
            f"over it. Is {decision.run} the run that holds it? {' '.join(start.warnings)}"
        )
    LOG.info("%s: %s, a fresh start.", decision.run, why)
    if names := ", ".join(live.unclear):
        start.warnings.append(UNCLEAR_OPTIMIZERS.format(names=names))
    return start


def _place(start: Start, found: Found, plan: LoadPlan, *, is_picked: bool) -> None:
    """Where training goes on: by the file and the manifest, if this is what it names; weights alone begin anew."""
    decision = start._decision  # noqa: SLF001
    manifest = decision.manifest
    record = manifest["restore"] if manifest is not None and is_picked else {}
    start.source, start.weights_only = found.path, plan.weights_only
    if plan.weights_only and not takes_weights_only(manifest):
        start.step, start._epoch = 0, None  # noqa: SLF001 - what it says of everything says nothing of this
    elif plan.weights_only:
        start.step, start._epoch = record.get("initial_step") or 0, record.get("initial_epoch")  # noqa: SLF001
    else:
        start.step = record.get("initial_step") if plan.step is None else plan.step
        start._epoch = record["initial_epoch"] if record else recorded_epoch(decision.run, found.path)  # noqa: SLF001
