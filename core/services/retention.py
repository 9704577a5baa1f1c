"""What would go from some runs and why the rest stays: plans by the retention of the settings or by one that is tried.

Nothing is moved here; `core.services.quarantine` carries a plan out.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from core.acts.acting import ConfirmError, has_space_for
from core.base.records import Run
from core.catalog.passed_over import every_link
from core.resume.history import read_manifests
from core.retention.keys import Key, Kind
from core.retention.links import Link, Links, standing_links
from core.retention.plan import plan_run
from core.retention.planned import Item, ItemKind, Plan, RunPlan, RunState, freed
from core.retention.policies import Policy
from core.retention.rules import LEFTOVERS, POLICY_KEYS, RULES
from core.retention.tables import parse_policy, policy_for
from core.runfolder.pins import read_pins
from core.runs.state_files import needed_prefixes
from core.services.best_values import values_asked, why_best
from core.services.sweeps import TrialPlaces
from core.services.workspace import Workspace

__all__ = [
    "LEFTOVERS",
    "POLICY_KEYS",
    "RULES",
    "Item",
    "ItemKind",
    "Key",
    "Kind",
    "Plan",
    "Policy",
    "RunPlan",
    "confirmation_of",
    "freed",
    "governing",
    "known_links",
    "links_now",
    "named_elsewhere",
    "parse_policy",
    "plan",
    "require_confirmation",
    "run_state",
    "trials_asked",
]

Elsewhere = Mapping[str, str]  # checkpoints that stay for a state file that names them, and those files


def governing(workspace: Workspace, run: RunPlan | RunState, tried: Policy | None) -> Policy:
    """The policy by which a run is planned: the one that is tried, else that of the settings."""
    return tried or policy_for(workspace.retention, run.root_path, run.run)


def plan(
    workspace: Workspace,
    runs: Sequence[Run],
    policy: Policy | None = None,
    elsewhere: Mapping[str, Elsewhere] | None = None,
    trials: TrialPlaces | None = None,
    links: Links | None = None,
) -> Plan:
    """What would go from some runs, by the retention of the settings or by a policy that is tried. Moves nothing.

    `elsewhere` is `named_elsewhere` of each root, `trials` and `links` (`known_links`) are places read before, for
    whoever plans many runs one by one.
    """
    known = links or known_links(workspace)
    named = dict(elsewhere or {root: named_elsewhere(workspace, root) for root in {run.root for run in runs}})

    policies = [policy] if policy is not None else [one.policy for one in workspace.retention]
    asked = trials_asked(workspace, policies, trials)
    metrics = frozenset[str]().union(*(one.metrics for one in policies))
    states = (run_state(workspace, run, known, named[run.root], asked, metrics) for run in runs)
    planned = (plan_run(one, governing(workspace, one, policy), workspace.settings.write_grace) for one in states)
    return Plan(made_at=workspace.now(), runs=tuple(planned))


def trials_asked(
    workspace: Workspace, policies: Sequence[Policy], known: TrialPlaces | None = None
) -> TrialPlaces | None:
    """The places of trials, where some policy judges by them; `known` are those that were read before."""
    return (known or TrialPlaces(workspace)) if any(one.judges_trials for one in policies) else None


def run_state(
    workspace: Workspace,
    run: Run,
    links: Links | None = None,
    elsewhere: Elsewhere | None = None,
    trials: TrialPlaces | None = None,
    metrics: Collection[str] = (),
) -> RunState:
    """A run as the catalog and the decisions on disk have it now; its place in its sweep, if `trials` are given, and
    the values of some metrics (in small letters) at its checkpoints.
    """
    run_folder = workspace.run_folder(run.root, run.path)
    now_ns = run_folder.now_ns()
    checkpoints = workspace.members(run.root, run.path)
    is_leased_now = run_folder.has_job(now_ns)
    now = workspace.reader.run(run.root, run.path, workspace.now())
    is_recent = now.status == "live"
    named = workspace.named_metric(now)  # a guess protects nothing
    largest = max((item.bytes for item in checkpoints), default=0)
    return RunState(
        root=run.root,
        root_path=run_folder.root_path,
        run=run.path,
        is_live=is_recent or is_leased_now,
        may_have_ended=is_recent and not is_leased_now and not has_space_for(run_folder.folder, largest),
        now_ns=now_ns,
        checkpoints=checkpoints,
        leftovers=workspace.reader.leftovers(run.root, run.path),
        pins=read_pins(run_folder),
        manifests=read_manifests(run_folder),
        named_by=named_elsewhere(workspace, run.root) if elsewhere is None else elsewhere,
        links=(links or known_links(workspace)).into_run(run_folder.root_path, run.path),
        accepted=workspace.reader.accepted(run.root, run.path),
        trial=None if trials is None else trials.of(run),
        values=values_asked(workspace, run.root, run.path, metrics) if metrics else {},
        best={} if named is None else why_best(workspace, run.root, run.path, named),
    )


def named_elsewhere(workspace: Workspace, root: str) -> dict[str, str]:
    """What state files of a root name that does not lie beside them, and what those of other names than `checkpoint`
    name as their latest, which somebody chose (a best one): with the state file, which is not rewritten about it.
    """
    root_path = workspace.root(root).path
    return {
        prefix: state.path
        for state in workspace.reader.all_states(root)
        for prefix in needed_prefixes(state, root_path)
    }


def confirmation_of(plan: Plan) -> str | None:
    """What must be typed before a plan is carried out that leaves trials without a checkpoint: `7 trials`."""
    count = plan.emptied
    return None if not count else "1 trial" if count == 1 else f"{count} trials"


def require_confirmation(plan: Plan, *typed: str) -> None:
    """ConfirmError where `confirmation_of` a plan is not among what was typed."""
    wanted = confirmation_of(plan)
    if wanted is not None and wanted not in [text.strip() for text in typed]:
        raise ConfirmError(
            f"All checkpoints of {wanted} would go: to confirm that, give {wanted!r}. Nothing was moved."
        )


def known_links(workspace: Workspace) -> Links:
    """Every link that the last look at the roots saw, and that is there now."""
    return Links.of(_known(workspace))


def links_now(workspace: Workspace, run: Run) -> Links:
    """The same, and what stands in the folders of a run, and in those above it, at this moment: for an act on it."""
    root_path = workspace.root(run.root).path
    folders = workspace.reader.folders_in(run.root, run.path) or ("" if run.path == "." else run.path,)
    known = set(_known(workspace))
    return Links.of(chain(known, (link for link in standing_links(root_path, folders, run.path) if link not in known)))


def _known(workspace: Workspace) -> list[Link]:
    roots = workspace.reader.roots()
    with workspace.engine.connect() as connection:
        return [Link(root.path, *place) for root in roots for place in every_link(connection, root.id)]
