"""What shared speakers are worth (leakage premium): the same model, tested on voices it knows and on new ones."""

from typing import Final

import pandas as pd
import streamlit as st

from dashboard import export, runs_data
from dashboard.words import interval
from ser_core import comparison
from ser_core.plots import models as plot
from ser_core.runs import Run

CHART: Final = "premium"
CONFIG: Final = {"displayModeBar": False}
NONE: Final = """
No pair yet. It takes two runs of one model with the same settings: one with *clips at random*, where the same speakers
are in training and in the test, and one with *unseen speakers*. Train the one that is missing.
"""


def show(corpus: str, runs: list[Run]) -> None:
    """Show every recipe that was trained under both splits, as a pair of bars."""
    st.markdown(
        "With clips divided at random, as in many papers, a model has heard every speaker of the test in training. The "
        "**leakage premium** is how much better it looks there than on speakers whom it never heard."
    )
    pairs = comparison.pairs(runs)
    if not pairs:
        st.info(NONE)
        return
    found = {_label(random, speaker): runs_data.premium(random, speaker) for random, speaker in pairs}
    found = dict(sorted(found.items(), key=lambda item: -item[1].uar_speaker))
    with st.container(key=CHART):
        figure = plot.premium(found, chance=1 / len(pairs[0][0].classes))
        st.plotly_chart(figure, key=f"{CHART}_figure", config=CONFIG, alt="UAR with shared and with unseen speakers")
    export.picture(CHART, name=f"leakage-premium-{corpus}")
    rows = [
        {
            "model": label,
            "speakers shared": _said(one.uar_random, one.interval_random),
            "speakers unseen": _said(one.uar_speaker, one.interval_speaker),
            "premium (points)": _said(one.difference, one.interval),
        }
        for label, one in found.items()
    ]
    table = pd.DataFrame(rows)
    st.dataframe(table, hide_index=True)
    st.caption(
        "UAR in per cent, in brackets 95 % intervals, resampling speakers; dotted: guessing. Of the random split "
        "only a part of the clips is tested, of unseen speakers all are: the first is the less certain number."
    )
    export.table(table, name=f"leakage-premium-{corpus}")


def _said(share: float, pair: tuple[float, float]) -> str:
    return f"{100 * share:.1f}{interval([100 * end for end in pair], digits=1)}"


def _label(random: Run, speaker: Run) -> str:
    """Return what the two runs are of, without their split; one speaker at a time is said."""
    model = random.title.partition(" · ")[0]
    return f"{model}, one speaker at a time" if speaker.split == "loso" else model
