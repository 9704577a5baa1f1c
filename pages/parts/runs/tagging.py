"""What people say of a run, in one line that is edited where it stands: favourite, tags, owner, note, best metric."""

from collections.abc import Sequence

import streamlit as st

from core.base.errors import CoreError
from core.base.records import Checkpoint, Run
from core.services import metrics, tags
from core.services.metrics import BestMetric, Direction
from core.services.tags import ChosenMetric, RunTags, TagChange
from pages.parts.frame import acting, answers, service
from pages.parts.frame.text import lines, md, md_lines, shown
from waypoint_resume.names import short_id

_PLACE = "tags"
_ADD, _OWNER, _NOTE = "tag-add", "tag-owner", "tag-note"
_MODES = {mode.word: mode for mode in Direction}


def draw(run: Run, members: Sequence[Checkpoint], best: BestMetric | None) -> None:
    """The line; where what is said cannot be understood, why, and nothing that changes it. `best` tells the best of the
    run's checkpoints now.
    """
    answers.place(_PLACE)
    try:
        said = tags.read_tags(service.workspace(), run)
    except CoreError as error:
        st.warning(md_lines(str(error)), icon=":material/sell:")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tagging"):
        _star(run, said)
        for number, tag in enumerate(said.tags):
            _tag(run, tag, key=f"tag-{number}")
        st.text_input(
            "Add a tag",
            key=(key := _key(_ADD, run, said)),
            placeholder="+ tag",
            label_visibility="collapsed",
            width=110,
            on_change=_add,
            args=(run, key),
        )
        _owner(run, said)
        _note(run, said)
        _best(run, said, members, best)
    if said.note:
        st.text(lines(said.note))


def _star(run: Run, said: RunTags) -> None:
    answers.button(
        "",
        _change,
        run,
        TagChange(favourite=not said.favourite),
        "No longer a favourite." if said.favourite else "Marked as a favourite.",
        key="favourite",
        type="tertiary",
        icon=":material/star:" if said.favourite else ":material/star_border:",
        help="Take the favourite back" if said.favourite else "Mark as a favourite",
    )


def _tag(run: Run, tag: str, *, key: str) -> None:
    """A tag; a click takes it away."""
    answers.button(
        md(tag),
        _change,
        run,
        TagChange(remove=(tag,)),
        f"Tag {tag} taken away.",
        key=key,
        icon=":material/close:",
        icon_position="right",
        help=f"Take the tag {md(tag)} away",
    )


def _key(name: str, run: Run, said: RunTags) -> str:
    """The key of what is typed in: emptied once it was said, and never that of another run."""
    return f"{name}-{short_id(run.root, run.path, said.at)}"


def _add(run: Run, key: str) -> None:
    """Add what was typed: tags with blanks between them."""
    words = tuple(word.strip('",') for word in st.session_state[key].split())
    if words:
        answers.clicked(_PLACE)
        _change(run, TagChange(add=words), f"{'Tag' if len(words) == 1 else 'Tags'} added: {', '.join(words)}.")


def _owner(run: Run, said: RunTags) -> None:
    st.text_input(
        "Owner",
        said.owner,
        key=(key := _key(_OWNER, run, said)),
        placeholder="owner",
        icon=":material/person:",
        label_visibility="collapsed",
        width=170,
        on_change=_say_owner,
        args=(run, key),
    )


def _say_owner(run: Run, key: str) -> None:
    owner = st.session_state[key].strip()
    answers.clicked(_PLACE)
    _change(run, TagChange(owner=owner), f"Owner: {owner}." if owner else "No owner is named any more.")


def _note(run: Run, said: RunTags) -> None:
    key = _key(_NOTE, run, said)
    label = "Edit note" if said.note else "Note"
    with st.popover(label, icon=":material/edit_note:", type="tertiary", key=f"{key}-box"):
        st.text_area("Note", said.note, key=key, height=120, placeholder="What is worth knowing of it")
        answers.button("Save", _say_note, run, key, key="note-save", type="primary")


def _say_note(run: Run, key: str) -> None:
    note = st.session_state[key].strip()
    _change(run, TagChange(note=note), "The note was kept." if note else "The note was taken away.")


def _best(run: Run, said: RunTags, members: Sequence[Checkpoint], best: BestMetric | None) -> None:
    """By which metric the best is told, who says so, and the choice of another one."""
    known = metrics.metrics(service.workspace(), run.root, run.path)
    named = {item.metric[0] for item in members if item.metric is not None}
    names = list(dict.fromkeys([*([best.tag] if best else []), *(one.tag for one in known.metrics), *sorted(named)]))
    if not names:
        return
    key = _key("best", run, said)
    with st.popover(_best_label(best), icon=":material/trophy:", type="tertiary", key=f"{key}-box"):
        st.caption("By which metric the best checkpoint is told. It is kept in the run's folder.")
        name = st.selectbox("Metric", names, key=f"{key}-name", format_func=shown)
        guessed = metrics.best_metric(service.workspace(), run.root, run.path, [name], name)
        first = (Direction.MIN if guessed is None else guessed.mode).word
        way = st.segmented_control("Better is the", [*_MODES], default=first, key=f"{key}-{name}", required=True)
        with st.container(horizontal=True):
            answers.button("Keep", _say_best, run, name, way, key="best-keep", type="primary")
            if best is not None and best.told_by is metrics.ToldBy.RUN:
                answers.button("Guess again", _change, run, TagChange(guess_best=True), "Guessed.", key="best-guess")


def _best_label(best: BestMetric | None) -> str:
    if best is None:
        return "best by…"
    return f"best: {best.mode.word} {md(best.tag)}{' (a guess)' if best.is_guess else ''}"


def _say_best(run: Run, name: str, way: str) -> None:
    chosen = ChosenMetric(name=name, mode=_MODES[way])
    _change(run, TagChange(best_metric=chosen), f"The best is told by the {way} {name}.")


def _change(run: Run, change: TagChange, done: str) -> None:
    """Say something otherwise and answer the click with it; Undo takes just that back."""
    undo: list[TagChange] = []

    def say() -> None:
        before, after = tags.change_tags(service.workspace(), run, change)
        undo.append(tags.undoing(before, after))

    acting.act(say, done, undo=lambda: _change(run, undo[0], "Taken back."))
