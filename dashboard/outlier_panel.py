"""Clips far from their own emotion: a table of them, the chosen one beside it, and how far it is from each emotion."""

from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import clip_panel, export, widgets
from dashboard.affect_data import Measured
from dashboard.frame import Choice
from dashboard.words import decimals
from ser_core.analyses import Question
from ser_core.geometry import mahalanobis
from ser_core.store import key

N_OUTLYING: Final = 20
COLUMNS: Final = {
    "emotion": st.column_config.TextColumn(width=78),
    "nearest emotion": st.column_config.TextColumn("nearest", width=78, help="The emotion whose mean is nearest"),
    "distance to own": st.column_config.NumberColumn("distance", format="%.2f", width=68, help="To its own mean"),
    "how rare": st.column_config.TextColumn(width=138),
    "speaker": st.column_config.TextColumn(width=62),
}
OWN: Final = (
    "Each clip takes part in the mean and the spread that it is measured with. With so few clips for the dimensions it "
    "looks at home in its own emotion whatever it sounds like: measure in the map to find more that do not fit."
)
EMPTY: Final = "Choose a row of the table to hear its clip."


def show(choice: Choice, measured: Measured, question: Question) -> None:
    """Show the clips that are furthest from their own emotion, and beside them the clip in hand."""
    st.markdown("##### Clips that do not fit")
    distances, labels = measured.distances, measured.clips.clips["emotion"].to_numpy(str)
    own = np.array([distances.names.index(label) for label in labels])
    nearest = distances.to_emotion.argmin(axis=1)
    n_nearer = int((nearest != own).sum())
    st.markdown(
        f"{n_nearer:,} of {len(own):,} clips are nearer to the mean of another emotion than to that of their own. "
        f"The {min(N_OUTLYING, len(own))} furthest from their own:"
    )
    rows = mahalanobis.outlying(distances, labels, n=N_OUTLYING)
    table = _table(measured, rows, own, nearest)
    left, right = st.columns([1.85, 1], gap="medium")
    with left:
        name = f"unfit_{key({'rows': rows.tolist(), 'of': choice.names, 'by': choice.store.key})[:12]}"

        def take() -> None:
            chosen = st.session_state[name]["selection"]["rows"]
            if chosen and chosen[0] < len(rows):
                clip_panel.take(measured.clips, int(rows[chosen[0]]))

        in_hand = clip_panel.row_in_hand(measured.clips)
        at = [number for number, row in enumerate(rows) if row == in_hand]
        st.dataframe(
            table,
            hide_index=True,
            key=name,
            on_select=take,
            selection_mode="single-row",
            selection_default=widgets.mark(name, at),
            height=38 + 35 * len(table),
            column_config=COLUMNS,
        )
        export.table(table, name="clips_that_do_not_fit")
        if not distances.enough:
            st.caption(OWN)
        st.caption(
            f"Distances in the {distances.dimensions:,} dimensions measured in. “How rare”: the share of clips so far "
            "out if clips were Gaussian (chi-square), which they are not."
        )
    with right:
        clip_panel.alone(choice.found, clip_panel.row_in_hand(choice.found), empty=EMPTY)
        _to_each(measured, question)


def _table(
    measured: Measured, rows: NDArray[np.intp], own: NDArray[np.intp], nearest: NDArray[np.intp]
) -> pd.DataFrame:
    distances, table = measured.distances, measured.clips.clips.iloc[rows]
    tail = distances.tail()[rows, own[rows]]
    names = np.array(distances.names, object)
    columns: dict[str, Any] = {
        "emotion": names[own[rows]],
        "nearest emotion": names[nearest[rows]],
        "distance to own": distances.to_emotion[rows, own[rows]],
        "how rare": [rarity(float(value)) for value in tail],
        "speaker": table["speaker"].to_numpy(),
        "file": [PurePosixPath(file).name for file in table["file"]],
    }
    if len(set(table["corpus"])) > 1:
        columns["corpus"] = table["corpus"].to_numpy()
    return pd.DataFrame(columns)


def _to_each(measured: Measured, question: Question) -> None:
    """Show how far the clip in hand is from each emotion."""
    row = clip_panel.row_in_hand(measured.clips)
    if row is None:
        return
    distances = measured.distances
    st.markdown("**Its distance to each emotion**")
    order = distances.to_emotion[row].argsort(kind="stable")
    n = decimals(float(distances.to_emotion[row].max()) / 10)
    widgets.facts({distances.names[place]: f"{distances.to_emotion[row, place]:.{n}f}" for place in order})
    if question.covariance == "per-emotion":
        st.caption("Each in units of that emotion's own spread: a wide cloud is near to everything.")


def rarity(tail: float) -> str:
    """Return a tail probability in words.

    Examples
    --------
    >>> rarity(0.8), rarity(0.034), rarity(0.00012), rarity(1e-12)
    ('not rare', '1 in 29', '1 in 8,300', 'under 1 in a billion')
    """
    if tail > 0.5:
        return "not rare"
    if tail < 1e-9:
        return "under 1 in a billion"
    return f"1 in {float(f'{1 / tail:.2g}'):,.0f}"
