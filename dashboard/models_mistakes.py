"""What a run takes for what: the confusion matrix, the clips of a cell to hear, and what is said of the one in hand."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import clip_panel, data, export, frame, links, models_why, runs_data, widgets
from ser_core.embeddings import Embeddings
from ser_core.plots import emotions as emotion_plot
from ser_core.plots import models as plot
from ser_core.runs import Run

CHART: Final = "confusion"
SAYS: Final = "clip_says"
FIGURE: Final = "confusion_figure"
CONFIG: Final = {"displayModeBar": False}
CELLS: Final = {"rates": "rates (% of the row)", "counts": "counts"}
ALL: Final = "all clips"
WRONG: Final = "all mistakes"
EMPTY: Final = "Choose a row of the list above to hear its clip."
LISTED: Final = 320
"""Height of the list of clips in pixels."""
WIDTHS: Final = {"emotion": 78, "taken for": 78, "speaker": 66}
Cell = tuple[int, int]


@dataclass(frozen=True)
class Listing:
    """Clips that can be listed: rows of those tested, the surest first; ``cell`` (true, named) if they are one cell."""

    cell: Cell | None
    rows: NDArray[np.intp]


@st.fragment
def show(run: Run) -> None:
    """Show the matrix, and beside it the clips of a cell; a click runs only this again."""
    found, lists = runs_data.clips(run), listings(run)
    clip_panel.check_link(found)
    left, right = st.columns([1.45, 1], gap="medium")
    with left:
        rates = widgets.segments("cells", "Cells show", list(CELLS), default="rates", show=CELLS.__getitem__)
    with right:
        first = WRONG if len(lists[WRONG].rows) else ALL

        def counted(name: str) -> str:
            return f"{name} ({len(lists[name].rows):,})"

        chosen = widgets.select("cell", "Clips", list(lists), default=first, show=counted)
        _list(run, found, lists[chosen].rows, key=f"mistakes_{run.id}_{list(lists).index(chosen)}")
        _to_map(run, found, lists[chosen].rows)
        row = clip_panel.row_in_hand(found)
        clip_panel.alone(found, row, empty=EMPTY)
    with left:
        _matrix(run, lists, lists[chosen].cell, rates=rates == "rates")
        if row is not None:
            said(run, row)
            models_why.saliency(run, found, row)
    links.publish()


def listings(run: Run) -> dict[str, Listing]:
    """Return what clips can be listed: all mistakes, all clips, and the cells with clips, the fullest first."""
    one = run.evaluation
    surest = np.argsort(-_sure(run), kind="stable")
    truth, predicted, counts = one.truth[surest], one.predicted[surest], one.confusion
    full = sorted(np.argwhere(counts).tolist(), key=lambda at: (at[0] == at[1], -counts[at[0], at[1]]))
    out = {WRONG: Listing(None, surest[truth != predicted]), ALL: Listing(None, surest)}
    for i, j in full:
        of = surest[(truth == i) & (predicted == j)]
        out[f"{one.classes[i]} as {one.classes[j]}"] = Listing((i, j), of)
    return out


def _sure(run: Run) -> NDArray[np.float64]:
    """Return the probability of the emotion that was named."""
    return np.take_along_axis(run.probabilities, run.evaluation.predicted[:, None], axis=1)[:, 0]


def _matrix(run: Run, lists: dict[str, Listing], cell: Cell | None, *, rates: bool) -> None:
    figure = plot.confusion(run.evaluation.confusion, run.classes, rates=rates, cell=cell)
    with st.container(key=CHART):
        st.plotly_chart(
            figure, key=FIGURE, on_select=lambda: _take_cell(lists), selection_mode="points", config=CONFIG,
            alt="Confusion matrix: rows are the true emotions, columns what they were taken for",
        )  # fmt: skip
    st.caption("A row is a true emotion, a column what it was taken for. Click a cell to list its clips.")
    export.picture(CHART, name=f"confusion-{run.id}")


def _take_cell(lists: dict[str, Listing]) -> None:
    points = st.session_state[FIGURE]["selection"]["points"]
    if points and len(at := points[0].get("customdata") or ()) == 2:
        names = [name for name, one in lists.items() if one.cell == tuple(at)]
        st.session_state["cell"] = next(iter(names), st.session_state["cell"])  # an empty cell has no clips


def _list(run: Run, found: Embeddings, rows: NDArray[np.intp], *, key: str) -> None:
    table = listed(run, found, rows)

    def chosen() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            clip_panel.take(found, int(rows[picked[0]]))

    in_hand = clip_panel.row_in_hand(found)
    percent = st.column_config.NumberColumn(format="%.0f %%", width=52)
    words = {name: st.column_config.TextColumn(width=width) for name, width in WIDTHS.items()}
    st.dataframe(
        table.drop(columns=["file", "fold"]),
        hide_index=True,
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        selection_default=widgets.mark(key, np.flatnonzero(rows == in_hand).tolist()),
        height=min(LISTED, 38 + 35 * max(1, len(table))),
        column_config=words | {"sure": percent, "true": percent},
    )
    st.caption("“sure”: probability of the emotion named; “true”: of the true one. The surest come first.")
    export.table(table, name=f"clips-{run.id}")


def listed(run: Run, found: Embeddings, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Return what is told of tested clips: truth, what they were taken for, both probabilities in per cent."""
    one, words = run.evaluation, np.array(run.classes, object)
    truth = one.truth[rows]
    columns: dict[str, Any] = {
        "emotion": words[truth],
        "taken for": words[one.predicted[rows]],
        "sure": 100 * _sure(run)[rows],
        "true": 100 * run.probabilities[rows, truth],
        "speaker": one.speakers[rows],
        "file": [PurePosixPath(file).name for file in found.clips["file"].iloc[rows]],
        "fold": run.tested["fold"].to_numpy()[rows],
    }
    return pd.DataFrame(columns)


def said(run: Run, row: int) -> None:
    """Show the probabilities that the run gave the clip in hand."""
    one, shares = run.evaluation, run.probabilities[row]
    truth, named_ = run.classes[one.truth[row]], run.classes[one.predicted[row]]
    verdict = "rightly" if truth == named_ else f"but it is {truth}"
    st.markdown(f"**What it said of the clip in hand:** {widgets.plain(f'{named_}, {verdict}')}")
    with st.container(key=SAYS):
        figure = emotion_plot.profile(run.classes, [emotion_plot.Told("", None, shares)])
        st.plotly_chart(figure, key=f"{SAYS}_figure", config=CONFIG, alt="Probability of each emotion for this clip")
    export.picture(SAYS, name="clip-probabilities")


def _to_map(run: Run, found: Embeddings, rows: NDArray[np.intp]) -> None:
    """Offer to light the clips listed in the map of the corpus."""
    here = data.coverage(run.corpus)
    if len(rows) and any(one.n_embedded for one in here) and st.button("Light these clips in the map"):
        st.session_state["corpora"], st.session_state["dims"] = [run.corpus], 2
        st.session_state["_lit"] = frozenset(found.digests[row] for row in rows)
        st.switch_page(frame.VIEWS / "explore.py")
