"""What a run goes by: which groups of values it needs, and what in a clip's picture spoke for an emotion."""

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import clip_panel, export, follow, progress, runs_data, widgets
from dashboard.words import number
from ser_core import importance as attribution
from ser_core import spectrogram
from ser_core.embeddings import Embeddings
from ser_core.errors import SerError
from ser_core.models.cards import KNOWN
from ser_core.plots import attributions
from ser_core.runs import Run

SALIENCY: Final = "saliency"
IMPORTANCE: Final = "importance"
MOST: Final = 20
"""Groups that are drawn; the table has all."""
CONFIG: Final = {"displayModeBar": False}
WIDTHS: Final = {
    "words": st.column_config.TextColumn("group", width=170),
    "n_values": st.column_config.NumberColumn("values", width=54),
}


def saliency(run: Run, found: Embeddings, row: int) -> None:
    """Offer to show what in the picture of a clip spoke for an emotion, over its spectrogram, for networks."""
    if KNOWN[run.model].picture is None:
        return
    named = int(run.evaluation.predicted[row])
    st.markdown("**What in the clip spoke for it (saliency)**")
    if st.session_state.get("_saliency_of") != (run.id, row):  # another clip: begin with the emotion that was named
        st.session_state["_saliency_of"], st.session_state["explained"] = (run.id, row), named
    line = st.container(horizontal=True, vertical_alignment="bottom")
    with line:
        target = widgets.select(
            "explained", "Emotion", list(range(len(run.classes))), default=named, show=run.classes.__getitem__
        )
        wanted = st.button("Show what spoke for it", key="ask_saliency")
    asked = st.session_state.setdefault("_saliency_asked", set())
    what = (run.id, row)
    if wanted:
        asked.add(what)
    if what not in asked:
        st.caption("Some seconds: the network is asked again and again, from an average picture towards this clip's.")
        return
    try:
        _saliency(run, found, row, target)
    except SerError as error:
        st.info(widgets.plain(str(error)))


def _saliency(run: Run, found: Embeddings, row: int, target: int) -> None:
    one = runs_data.saliency(run, row, target)
    signal = runs_data.sound(run, row)
    figure = attributions.saliency(
        spectrogram.mel_spectrogram(signal), one.values, seconds=one.seconds, hertz=one.hertz
    )
    with st.container(key=SALIENCY):
        st.plotly_chart(figure, key=f"{SALIENCY}_figure", config=CONFIG, alt="What in the clip spoke for the emotion")
    follow.tie(clip_panel.player(found, row), {}, seconds=np.zeros((1, 2)), line=SALIENCY)
    word = widgets.plain(run.classes[target])
    st.caption(
        f"Orange spoke for {word}, blue against it, to the network that had not learnt from this clip. It is compared "
        "with the mean picture of the training clips, a steady hum that is like no clip: from there to here the "
        f"network's score for {word} (before it becomes a probability) goes from {number(one.baseline)} to "
        f"{number(one.score)}, and the colours add up to the difference. Click the picture to move the player."
    )
    if abs(one.beyond) >= 0.005:
        st.caption(
            f"Not drawn is what comes from the silence with which this clip is filled up: {number(one.beyond)} of it."
        )
    st.caption(
        f"It shows what this network used, not what makes speech sound {word}. Do not trust it where the network is "
        "hardly better than guessing, and make nothing of single specks: look for what comes again in other clips. "
        "Colour where nobody speaks says that it went by the silence or the noise of the recording."
    )
    export.picture(SALIENCY, name="saliency")


def importance(run: Run) -> None:
    """Tell which groups of values the model needs, or offer to compute it in the background."""
    if KNOWN[run.model].vectors is None:
        return
    st.markdown("##### Which values it needs (permutation importance)")
    if why := runs_data.no_importance(run):
        st.caption(f"{widgets.plain(why[:1].upper() + why[1:])}.")
        return
    table = runs_data.importance(run)
    if table is not None:
        _importance(run, table)
        return
    st.markdown(
        "Groups of values are shuffled among the test clips, one group after another: the model does worse by what "
        "it had from that group alone."
    )
    progress.offer(
        attribution.arguments(run, seed=attribution.SEED),
        going="The groups are being shuffled; you can go on elsewhere meanwhile.",
        wanted="Not computed yet: some seconds to a few minutes, in the background; it is kept.",
        label="Find out which values it needs",
        start=lambda: runs_data.start_importance(run),
    )


def _importance(run: Run, table: pd.DataFrame) -> None:
    left, right = st.columns([1.45, 1], gap="medium")
    with left:
        with st.container(key=IMPORTANCE):
            figure = attributions.importance(table.head(MOST))
            st.plotly_chart(figure, key=f"{IMPORTANCE}_figure", config=CONFIG, alt="Fall of UAR by group of values")
        if len(table) > MOST:
            st.caption(f"The {MOST} groups that are missed most; the table has all {len(table)}.")
        export.picture(IMPORTANCE, name=f"importance-{run.id}")
    with right:
        points = table.assign(**{name: 100 * table[name] for name in ("drop", "low", "high")})
        percent = dict.fromkeys(("drop", "low", "high"), st.column_config.NumberColumn(format="%.1f", width=56))
        st.dataframe(points, hide_index=True, column_config=percent | WIDTHS)
        st.caption(
            f"“drop”: points of UAR lost when the group is shuffled, mean of {attribution.REPEATS} times; “low” and "
            "“high” hold 95 % of them: they say how much chance is in the shuffling, not how other speakers would do. "
            "Around 0 it does as well without. Groups that "
            "say the same stand in for each other, so a small drop does not mean a useless one."
        )
        export.table(points, name=f"importance-{run.id}")
