"""What a start restored besides the checkpoint's own values, and the receipt of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from waypoint_resume.callback_memory import match_callbacks
from waypoint_resume.checkpoints import Found
from waypoint_resume.claim import Decision
from waypoint_resume.fit_mark import mark_in
from waypoint_resume.kept_state import find_state, mapping_in
from waypoint_resume.learning_rate import sets_rate, told_rate
from waypoint_resume.loading import OPTIMIZER_RESTARTS, LoadPlan
from waypoint_resume.log import LOG
from waypoint_resume.loop_state import LoopKeeper
from waypoint_resume.receipt import WITHOUT_STATE, Receipt
from waypoint_resume.rewritten_variables import FORMATS, told_rewritten
from waypoint_resume.training_state import PutBack, Trained, learning_rates, put_back_state

if TYPE_CHECKING:
    from waypoint_resume.start import Start
    from waypoint_resume.watch import TrainingWatch


def restore_state(
    start: Start, found: Found, plan: LoadPlan, why: str, script_rates: Sequence[float], *, is_picked: bool
) -> Receipt:
    """Put back what is kept beside the checkpoint that was loaded, but for callbacks, which fit() resets; its receipt.
    With weights alone nothing is put back.

    `is_picked`: it is what the manifest names, whose overrides then stand. `script_rates`: the learning rates with
    which the job made its optimizers.
    """
    decision, live = start._decision, start._live  # noqa: SLF001 - a part of the start
    kept = find_state(decision, found.path, plan.step)
    if plan.weights_only:
        kept = replace(kept, state=None, problem=None)
    trained = trained_without_fit(start)
    start.has_own_rate = is_picked and "learning_rate" in start.overrides
    back = PutBack()
    if kept.state is not None:
        start._exact, start.mark = kept.position, mark_in(kept.state)  # noqa: SLF001
        start.kept_data = dict(mapping_in(kept.state, "data"))
        # A job whose fit() is still to come makes its data first, with the seeds with which an unbroken one made them.
        is_loop = live.manager is not None or live.checkpoint is not None
        back = put_back_state(kept.state, trained, keep_rate=start.has_own_rate, with_random=is_loop)
        start.draws_go_on = {"Python's random", "NumPy"} <= mapping_in(kept.state, "random").keys()
    start._kept = kept  # noqa: SLF001
    files = kept.identity.files if kept.identity else ()
    restarts = [plan.restarts] if plan.restarts else []
    if not restarts and live.optimizers and not plan.has_optimizer:
        restarts = [OPTIMIZER_RESTARTS]
    rates = learning_rates(live.optimizers)
    rate_told = told_rate(script_rates, plan.learning_rates, rates, start.overrides if is_picked else {})
    receipt = Receipt(
        source=found.path,
        format=found.format,
        why=why,
        manifest=decision.manifest["id"] if decision.manifest is not None else None,
        claim=decision.claim["uuid"] if decision.claim is not None else None,
        digest=kept.identity.digest if kept.identity else None,
        bytes=sum(file.size for file in files) if files else None,
        files=len(files) or None,
        step=start.step,
        optimizer=_optimizers(live.optimizers, plan),
        learning_rate=rates,
        learning_rate_told=None if sets_rate(kept.state, live.callbacks) else rate_told,
        weights_only=plan.weights_only,
        has_state=kept.state is not None,
        callbacks=back.callbacks,
        random=back.random,
        restarts=restarts,
        not_kept=back.not_kept,
        job=decision.job,
    )
    if kept.position is not None:
        receipt.epoch, receipt.batch = kept.position
    elif start.batch is not None:  # by step and steps_per_epoch
        receipt.epoch, receipt.batch = start.locate(None)
    told = [*restarts, *plan.notes, *([kept.problem] if kept.problem else [])]
    if found.format in FORMATS and (lacking := told_rewritten(live.models, (kept.state or {}).get("rewritten"))):
        told.append(lacking)
        receipt.not_kept.append(lacking)
    start.warnings += [text for text in dict.fromkeys(told) if text not in start.warnings]
    if plan.weights_only:
        receipt.not_kept.append("random state, callbacks and data position: with weights alone all of it begins anew")
    elif kept.state is None:
        start.warnings.append(WITHOUT_STATE.format(source=found.path))
        receipt.not_kept.append("random state, callbacks and data position: no state is kept beside it")
    return receipt


def tell_restored(start: Start, receipt: Receipt) -> None:
    """Print what is restored when resume() returns, and keep the receipt, if this worker decides."""
    what = f"the weights of {start.source} alone" if start.weights_only else f"{start.source}, step {start.step}"
    LOG.info("Restored %s (%s).\n%s", what, receipt.why, "\n".join(receipt.lines()))
    if start._decision.lease is not None:  # noqa: SLF001
        receipt.save(start._decision.home)  # noqa: SLF001


def take_state(start: Start) -> dict[str, Any] | None:
    """The state for fit() to put back, once: a later fit() of the same start goes on from where this one ended."""
    state = start._kept.state  # noqa: SLF001
    start._kept = replace(start._kept, state=None)  # noqa: SLF001
    return state


def keeping_decision(start: Start) -> Decision | None:
    """The decision of a worker that keeps states: the one that decides, whose lease is the run's."""
    decision = start._decision  # noqa: SLF001
    return decision if decision.lease is not None else None


def trained_without_fit(start: Start) -> Trained:
    """The objects of a loop without fit(): the model that was passed, else all that the checkpoint holds."""
    live = start._live  # noqa: SLF001
    models = [live.model] if live.model is not None else live.models
    return Trained(models, live.optimizers, start.kept_objects or None)


def begin_keeping(start: Start) -> None:
    """Keep state beside what the job's manager or checkpoint saves, if it has one and this worker decides."""
    decision, live = start._decision, start._live  # noqa: SLF001
    saver = live.manager if live.manager is not None else live.checkpoint
    if saver is not None and decision.lease is not None:
        start._loop_keeper = LoopKeeper(decision, saver, trained_without_fit(start))  # noqa: SLF001
        start._loop_keeper.begin()  # noqa: SLF001


def trained_of(start: Start, model: object, callbacks: list[Any]) -> Trained:
    """The objects of a fit() that go on from a start."""
    own = getattr(model, "optimizer", None)
    return Trained([model], start._live.optimizers or ([own] if own is not None else []), callbacks)  # noqa: SLF001


def was_ended(start: Start, callbacks: list[Any]) -> bool:
    """Whether EarlyStopping had ended the training when the checkpoint was saved, and would as it is made now: then
    nothing is left to train, unless somebody has handed the checkpoint over since.
    """
    state = start._kept.state or {}  # noqa: SLF001
    if start.is_handed_over or not mapping_in(state, "position").get("stop"):
        return False
    pairs, _ = match_callbacks(callbacks, [item for item in state.get("callbacks") or () if isinstance(item, dict)])
    kept = [(callback, record.get("memory")) for callback, record in pairs]
    return any(
        isinstance(memory, dict) and memory.get("stopped_epoch") and memory.get("wait", 0) >= callback.patience
        for callback, memory in kept
        if hasattr(callback, "patience")
    )


def tell_fit(start: Start, back: PutBack, watch: TrainingWatch) -> None:
    """Complete the receipt when fit() has its callbacks' memory back, and print what came."""
    receipt = start.receipt
    if receipt is None:
        return
    receipt.callbacks = back.callbacks
    receipt.data = watch.data.told if watch.data is not None else None
    if watch.fit is not None and watch.epoch >= watch.fit.epochs:
        ended = ", for EarlyStopping had ended this training" if watch.was_ended else ""
        receipt.data = f"No epoch is trained: all {watch.fit.epochs:,} are done{ended}."
    else:
        receipt.epoch, receipt.batch = watch.epoch, watch.batch
    is_told = bool(receipt.random)
    receipt.random = back.random or receipt.random
    receipt.learning_rate = back.learning_rate or receipt.learning_rate
    receipt.not_kept = list(dict.fromkeys([*receipt.not_kept, *back.not_kept]))
    if lines := receipt.lines_of_fit(random=not is_told):
        LOG.info("Restored for fit():\n%s", "\n".join(lines))
    if start._decision.lease is not None:  # noqa: SLF001
        receipt.save(start._decision.home)  # noqa: SLF001


def _optimizers(optimizers: list[object], plan: LoadPlan) -> str | None:
    names = ", ".join(type(getattr(item, "inner_optimizer", None) or item).__name__ for item in optimizers)
    return f"{names} {'restored' if plan.has_optimizer else 'restarts'}" if names else None
