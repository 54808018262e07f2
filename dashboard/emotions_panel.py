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
    """Return what is told of a clip in Markdown: the answers, and whether it is unlike the corpus; that first if it is.

    Nothing where no emotions are known.
    """
    placed = look.placed
    if not look.atlas.emotions:
        return []
    out = [_answers(look), outlying(look)]
    if placed.outlying:  # the answers mean little then
        out.reverse()
    if placed.same is None:
        return out
    file = widgets.plain(str(look.atlas.found.clips["file"].iloc[placed.same]))
    known = (
        f"**This very recording is in the corpus** ({file}): it took part in the means, the neighbours and the "
        "model, so these numbers know it and are no test."
    )
    return [known, *out]


def outlying(look: Look) -> str:
    """Say whether the clip is further from every emotion than nearly all of the corpus was (Markdown)."""
    further, checked = look.placed.further, look.atlas.unseen
    if further is None or checked is None:
        return "Whether it is unlike everything here cannot be told: that needs the check on unseen speakers."
    of = widgets.plain(" and ".join(look.atlas.names))
    than = (
        f"further from every emotion than {_percent(further)} of the {len(checked.rows):,} clips of {of}, each of them "
        "measured with its own speaker left out"
    )
    if look.placed.outlying:
        return (
            f"**Unlike everything here (out of distribution)**: {than}. That may be the voice, the language, the room "
            "or the microphone. The emotions named are only the least far."
        )
    line = f"{100 * unseen.OUTLYING:.0f} %"
    return f"**Not out of distribution**: {than}; above {line} it would be called unlike everything here."


def _answers(look: Look) -> str:
    """Say which emotion each way names, whether they agree, and how often each is right for unseen speakers."""
    named, checked = _named(look.placed), look.atlas.unseen
    right = {one.name: one.evaluation.uar for one in checked.answers} if checked else {}
    words = list(dict.fromkeys(named.values()))
    if len(words) == 1:
        out = [f"Nearest to **{widgets.plain(words[0])}**{' by every way of asking' if len(named) > 1 else ''}:"]
    else:
        out = [f"**No clear answer**, the ways of asking disagree ({widgets.plain(', '.join(words))}):"]
    for way, name in named.items():
        often = f"; such an answer is right in {100 * right[way]:.0f} %" if way in right else ""
        out.append(f"- {WAYS[way]}: **{widgets.plain(name)}**{_how_sure(look.placed, way)}{often}")
    if checked:
        people = len(set(checked.answers[0].evaluation.speakers))
        out.append(
            f"\nRight: share of {len(checked.rows):,} clips by {people} speakers, each speaker left out in turn, mean "
            f"over emotions (UAR). Guessing is right in {100 / len(checked.names):.0f} %."
        )
    return "\n".join(out)


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:].rstrip('.')}."


def _percent(share: float) -> str:
    """Return a share in percent, never rounded up to all.

    Examples
    --------
    >>> _percent(0.4321), _percent(0.9934), _percent(0.99996), _percent(1.0)
    ('43 %', '99.3 %', '99.9 %', 'all')
    """
    if share >= 1:
        return "all"
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
        if n_taught := data.n_taught(source):
            st.caption(f"The encoder itself learnt from {n_taught:,} of these clips: for new clips all this is worse.")
        export.table(rows, name="unseen_speakers")


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
