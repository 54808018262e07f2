"""What the trained models say of a placed clip: how probable each emotion is, and how far to trust each model."""

from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import data, export, models_board, place_data, widgets
from dashboard.place_data import Look
from dashboard.words import interval
from ser_core import evaluation
from ser_core.recognisers import Recognised
from ser_core.runs import Run

NONE: Final = (
    "None was trained on {} yet that can be asked about one clip. The page Models trains them, a small one in a few "
    "minutes; clips are then standardised by all training clips, not by their speaker."
)
HOW: Final = (
    "Probabilities in percent, of each model's own emotions; of a model with several folds the first one answers. "
    "Right: the share of its test clips that it recognised, mean over emotions (UAR); in brackets 95 % intervals, "
    "resampling speakers. Where speakers were shared, the model had learnt from the voices that it was tested on: it "
    "does worse on a new one."
)

PERCENT: Final = st.column_config.NumberColumn(format="%.0f %%", width=58)
WIDTHS: Final = {
    "model": st.column_config.TextColumn(width=200),
    "says": st.column_config.TextColumn(width=74),
    "right (UAR)": st.column_config.TextColumn(width=110),
    "test speakers": st.column_config.TextColumn(width=92),
}
"""What a model says and how often it is right is seen without scrolling on a page 1,280 wide."""


def show(look: Look) -> None:
    """Show what every trained model of these corpora says of the clip."""
    st.markdown("##### What the trained models say")
    names = " and ".join(look.atlas.names)
    if not look.atlas.recognisers:
        st.caption(widgets.plain(NONE.format(names)))
        return
    with st.spinner("Asking the trained models …"):
        told = place_data.recognised(look)
    table = _table(look, told)
    st.dataframe(
        table,
        hide_index=True,
        key="place_recognisers",
        height=38 + 35 * len(table),
        column_config=WIDTHS | dict.fromkeys(_emotions(look, told), PERCENT),
    )
    if taught := [one.run.title for one in told if one.taught]:
        st.caption(widgets.plain(f"Had learnt from this very recording, so this is no test: {'; '.join(taught)}."))
    for one in told:
        if one.why:
            st.caption(widgets.plain(f"{one.run.title} cannot tell: {one.why}."))
    st.caption(widgets.plain(HOW))
    export.table(table, name="trained_models")


def _table(look: Look, told: list[Recognised]) -> pd.DataFrame:
    rows = []
    for one in told:
        uar, span, independent = _right(data.cache().root.as_posix(), one.run.id, one.run)
        title = models_board.short(one.run) if len(look.atlas.names) == 1 else one.run.title
        row: dict[str, Any] = {"model": title, "says": one.named}
        if one.probabilities is not None:
            row |= dict(zip(one.words, 100 * one.probabilities, strict=True))
        row["right (UAR)"] = f"{100 * uar:.0f} %{interval([100 * end for end in span], digits=0)}"
        rows.append(row | {"test speakers": "unseen" if independent else "shared"})
    return pd.DataFrame(rows)[["model", "says", "right (UAR)", "test speakers", *_emotions(look, told)]]


def _emotions(look: Look, told: list[Recognised]) -> list[str]:
    """Return the emotions that a model tells, in the order of the page."""
    words = {word: None for one in told if one.probabilities is not None for word in one.words}
    return sorted(words, key=lambda word: (*look.atlas.emotions, *words).index(word))


@st.cache_data(max_entries=256, show_spinner=False)
def _right(root: str, id: str, _run: Run) -> tuple[float, tuple[float, float], bool]:  # noqa: A002
    """Return how often a run is right, 0-1, with its interval, and whether for speakers that it had not heard."""
    scored = _run.evaluation
    return scored.uar, scored.interval(evaluation.uar), scored.speaker_independent
