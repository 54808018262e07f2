"""Which emotion a placed clip is near to: in words, a row for each emotion, and how often such answers are right."""

from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import data, export, widgets
from dashboard.data import Source
from dashboard.outlier_panel import rarity
from dashboard.place_data import Look
from dashboard.words import decimals, interval, number
from ser_core import emotions, evaluation, unseen
from ser_core.placement import Placed
from ser_core.plots import emotions as plot
from ser_core.unseen import Unseen

CHART: Final = "place_emotions"
CONFIG: Final = {"displayModeBar": False}
WAYS: Final = {
    "mahalanobis": "nearest mean (Mahalanobis)",
    "neighbours": "vote of the ten nearest clips",
    "svm": "most probable (support vector machine)",
}
RARE: Final = (
    "“How rare”: the share of an emotion's clips so far out if clips were Gaussian (chi-square), which they are not. "
    "Clips of a new speaker, room or microphone come out far too rare; whether this clip is unlike the corpus is told "
    "by clips of speakers left out instead."
)
READ: Final = """
**Distance** (Mahalanobis 1936): from the mean of an emotion's clips, in units of the spread within emotions, in all
dimensions of the embedding; the covariance is pooled over emotions and shrunk (Ledoit & Wolf 2004). **How rare**: the
share of clips so far out if clips were Gaussian (chi-square with as many degrees of freedom as dimensions), which they
are not: compare emotions by it, do not take it at its word.

**Of the ten nearest**: how many of the ten nearest clips (Euclidean, scaled values) are of the emotion.

**Probability**: of a support vector machine that learnt from all these clips, calibrated (Platt 1999) on speakers that
it had not learnt from. It knows only these emotions, and gives them 100 % between them, whatever the clip is. How far
to believe it: the Brier score (Brier 1950) is the mean squared error over all emotions, 0 best, 2 worst; the expected
calibration error (Guo et al. 2017) says by how much the highest probability differs from how often it is right.

**Checked on unseen speakers**: each speaker was left out of everything that was learnt, and their clips were then
treated as yours is. UAR: the mean over emotions of the share recognised; accuracy: the share of all clips. A recording
from another room, microphone or language is harder than that.
"""


def show(look: Look) -> None:
    """Show what is told of the clip's emotion beside `says`, and how far to trust it."""
    st.markdown("##### Which emotion it is near to")
    names = look.atlas.emotions
    if not names:
        st.info(widgets.plain(" ".join(_sentence(why) for why in look.atlas.lacking)))
        return
    order = _nearest_first(look.placed)
    left, right = st.columns([1.5, 1], gap="medium")
    with left:
        _table(look, order)
    with right:
        told = plot.Told("", *(None if part is None else part[order] for part in _parts(look.placed)))
        if told.distances is not None or told.probabilities is not None:
            with st.container(key=CHART):
                figure = plot.profile([names[place] for place in order], [told])
                st.plotly_chart(figure, key=f"{CHART}_figure", config=CONFIG, alt="Distances and probabilities")
            st.caption("Dotted: chance, all emotions as probable.")
            export.picture(CHART, name="clip-emotions")
    _trust(look)


def says(look: Look) -> list[str]:
    """Return what is told of a clip in Markdown sentences: the verdicts, and whether it is unlike the corpus.

    None where no emotions are known.
    """
    placed, out = look.placed, []
    if not look.atlas.emotions:
        return out
    if placed.same is not None:
        file = widgets.plain(str(look.atlas.found.clips["file"].iloc[placed.same]))
        out.append(
            f"**This very recording is in the corpus** ({file}): it took part in the means, the neighbours and the "
            "model, so these numbers know it and are no test."
        )
    checked = {one.name: one.evaluation.uar for one in look.atlas.unseen.answers} if look.atlas.unseen else {}
    told = []
    for way, name in _named(placed).items():
        right = f", right in {100 * checked[way]:.0f} %" if way in checked else ""
        told.append(f"{WAYS[way]}: **{widgets.plain(name)}**{_how_sure(placed, way)}{right}")
    chance = 100 / len(look.atlas.emotions)
    how = f" Right in: of clips by speakers who were not heard before (UAR; chance {chance:.0f} %)." if checked else ""
    out.append(f"{_sentence('; '.join(told))}{how}")
    return [*out, outlying(look)]


def outlying(look: Look) -> str:
    """Say whether the clip is further from every emotion than nearly all of the corpus was (Markdown)."""
    further = look.placed.further
    if further is None:
        return "Whether it is unlike everything here cannot be told: that needs the check on unseen speakers."
    of = widgets.plain(" and ".join(look.atlas.names))
    share = _percent(further)
    if look.placed.outlying:
        return (
            f"**Unlike everything here (out of distribution)**: it is further from every emotion than {share} of the "
            f"clips of {of} were when their own speaker was left out. The emotions below are then only the least far."
        )
    return (
        f"Not unlike the corpus: it is further from every emotion than {share} of the clips of {of} were when their "
        f"own speaker was left out; above {100 * unseen.OUTLYING:.0f} % it would be called out of distribution."
    )


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:].rstrip('.')}."


def _percent(share: float) -> str:
    """Return a share in percent, never rounded up to all.

    Examples
    --------
    >>> _percent(0.4321), _percent(0.9934), _percent(0.99996), _percent(1.0)
    ('43 %', '99.3 %', '99.9 %', '100 %')
    """
    if share >= 1:
        return "100 %"
    return f"{min(100 * share, 99.9):.1f} %" if share > 0.98 else f"{100 * share:.0f} %"


def _named(placed: Placed) -> dict[str, str]:
    return {way: name for way, name in placed.named().items() if name is not None}


def _how_sure(placed: Placed, way: str) -> str:
    names = placed.atlas.emotions
    if way == "neighbours":
        place = names.index(str(placed.named()[way]))
        return f" ({placed.votes[place]} of {len(placed.landing.rows[0])})"
    if way == "svm" and placed.probabilities is not None:
        return f" ({100 * placed.probabilities.max():.0f} %)"
    return ""


def _parts(placed: Placed) -> tuple[Any, Any]:
    return placed.distances, placed.probabilities


def _nearest_first(placed: Placed) -> list[int]:
    """Return the emotions' places, the nearest first; without distances the most probable, or the most votes, first."""
    if placed.distances is not None:
        return placed.distances.argsort(kind="stable").tolist()
    by = placed.votes if placed.probabilities is None else placed.probabilities
    return (-np.asarray(by)).argsort(kind="stable").tolist()


def _table(look: Look, order: list[int]) -> None:
    placed, names = look.placed, look.atlas.emotions
    n = len(placed.landing.rows[0])
    columns: dict[str, Any] = {"": ["●"] * len(order), "emotion": [names[place] for place in order]}
    if placed.distances is not None and placed.tail is not None:
        columns["distance"] = placed.distances[order]
        columns["how rare"] = [rarity(float(value)) for value in placed.tail[order]]
    near = f"of {n} nearest"
    columns[near] = placed.votes[order]
    if placed.probabilities is not None:
        columns["probability"] = 100 * placed.probabilities[order]
    table = pd.DataFrame(columns)
    inks = [f"color: {emotions.style(name).colour}" for name in table["emotion"]]
    digits = 2 if placed.distances is None else decimals(float(placed.distances.max()) / 10)
    st.dataframe(
        table.style.apply(lambda _: inks, subset=[""]),
        hide_index=True,
        key="place_emotions_table",
        height=38 + 35 * len(table),
        column_config={
            "": st.column_config.TextColumn(width=24),
            "distance": st.column_config.NumberColumn(format=f"%.{digits}f", width=70, help="Mahalanobis"),
            "how rare": st.column_config.TextColumn(width=128, help="If clips were Gaussian, which they are not"),
            near: st.column_config.NumberColumn(width=88),
            "probability": st.column_config.ProgressColumn(
                format="%.0f %%", min_value=0, max_value=100, help="Support vector machine, calibrated"
            ),
        },
    )
    if "how rare" in table:
        st.caption(RARE)
    export.table(table.drop(columns=""), name="clip_emotions")


def _trust(look: Look) -> None:
    """Say how often each answer is right for speakers that were not heard, and what the numbers are."""
    checked = look.atlas.unseen
    st.markdown("**How often such an answer is right, for speakers who were not heard before**")
    if checked is None:
        why = unseen.refusal(look.atlas.found)
        text = f"Not known: {why}." if why else "Not known yet: each speaker has to be left out in turn first."
        st.caption(widgets.plain(text))
    else:
        source = data.source(look.choice.names, look.choice.store)
        rows = _rates(source, look.view.layer, look.view.scaling, checked)
        st.dataframe(_shown(rows), hide_index=True, key="place_trust", height=38 + 35 * len(rows))
        one = checked.answers[0].evaluation
        n, brier, error = len(checked.rows), checked.brier, checked.calibration_error
        st.caption(
            f"n = {n:,} clips of {len(set(one.speakers))} speakers, each speaker left out in turn; in brackets: 95 % "
            f"intervals, resampling speakers. Chance: {100 / len(checked.names):.0f} % (UAR). Probabilities: Brier "
            f"score {number(brier)} (always the same for all emotions: {number(1 - 1 / len(checked.names))}), expected "
            f"calibration error {100 * error:.1f} % (n = {n:,})."
        )
        export.table(rows, name="unseen_speakers")
    with st.expander("How to read these numbers"):
        st.markdown(READ)


@st.cache_data(max_entries=16, show_spinner=False)
def _rates(source: Source, layer: int, scaling: str, _checked: Unseen) -> pd.DataFrame:
    """Return how often each way is right, 0-1, with intervals: they take a moment, and are the corpus's alone."""
    rows = []
    for answer in _checked.answers:
        one = answer.evaluation
        spans = (*one.interval(evaluation.uar), *one.interval(evaluation.wa))
        rows.append((WAYS[answer.name], one.uar, *spans[:2], one.wa, *spans[2:]))
    names = ["UAR", "UAR 95 % from", "UAR 95 % to", "accuracy", "accuracy 95 % from", "accuracy 95 % to"]
    return pd.DataFrame(rows, columns=["answer", *names]).assign(clips=len(_checked.rows))


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    def words(name: str) -> list[str]:
        numbers = 100 * rows[[name, f"{name} 95 % from", f"{name} 95 % to"]].to_numpy(float)
        return [f"{value:.0f} %{interval(span, digits=0)}" for value, *span in numbers]

    return pd.DataFrame({"answer": rows["answer"], "UAR": words("UAR"), "accuracy": words("accuracy")})
