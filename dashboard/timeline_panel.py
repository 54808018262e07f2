"""The parts of the Timeline page: the picture with the clips beside it, the curves, the table."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import affect_data, clip_panel, export, links, widgets
from dashboard.affect_data import Diary
from dashboard.timeline_choice import Choice
from dashboard.words import interval, number
from ser_core import circle, timeline
from ser_core.corpora.folder import UNKNOWN
from ser_core.plots import colours, tone
from ser_core.plots import timeline as plots
from ser_core.plots.colours import EMOTION, Colouring
from ser_core.timeline import Span

CHART, TONE, QUADRANTS = "timeline_chart", "tone_chart", "quadrants_chart"
FIGURE: Final = "timeline_figure"
CONFIG: Final = {"displaylogo": False, "displayModeBar": False}
EMPTY: Final = "Choose a row of the list above, or click a point, to hear its clip and see its sound and its labels."
WHOLE: Final = "whole period"
WHEN: Final = {"day": "day", "week": "week of"}


@st.fragment
def picture(choice: Choice, diary: Diary) -> None:
    """Show the heat map with its clips, and beside it those of a day to listen to; a click runs only this again."""
    left, right = st.columns([1.75, 1], gap="medium")
    with right:
        number = _span(diary.frames)
        _clips(choice, diary, number)
        clip_panel.alone(choice.found, clip_panel.row_in_hand(choice.found), empty=EMPTY)
    with left:
        with st.container(key=CHART):
            figure = plots.plane(
                diary.frames,
                diary.members,
                diary.points,
                colouring=_colouring(choice, diary),
                names=[WHOLE, *(span.label for span in diary.frames[1:])],
                grid=diary.timeline.grid,
                labels=_labels(choice, diary),
                rows=diary.rows,
                first=number,
            )
            alt = "Heat map of the clips over valence and arousal, one for each day; the table below has the numbers"
            st.plotly_chart(
                figure,
                key=FIGURE,
                config=CONFIG,
                alt=alt,
                on_select=lambda: _pointed(choice),
                selection_mode="points",
            )
        export.picture(CHART, name=f"{choice.diary.name}-{diary.frames[number].label}".replace(" ", "-"))
        _caption(diary)
        trust(choice, diary)
    links.publish()


def trust(choice: Choice, diary: Diary) -> None:
    """Say where the plane comes from and how well it does on voices that it has not heard."""
    numbers = affect_data.plane_numbers((choice.learner.name,), choice.store, **choice.how())
    one = next(one for one in numbers if one["checked_on"] == "unseen speakers")
    kind = "synthetic speech, spoken by a program" if choice.learner.corpus.synthetic else "speech, as a rule acted"
    name = widgets.plain(choice.learner.name)
    of = f"{one['n_clips']:,} clips of {kind}, by {one['n_speakers']} voices"
    itself = choice.learner.name == choice.diary.name
    own = "**These same recordings were learnt from**, so the picture in part repeats their labels." if itself else ""
    other = f"It has not heard {widgets.plain(diary.timeline.person)}." if not itself else ""
    scores = {axis: (one[axis]["ccc"], one[axis]["ccc_95"]) for axis in circle.AXES}
    axes = [f"{number(value)}{interval(pair, say='95 %: ')} for {axis}" for axis, (value, pair) in scores.items()]
    less, more = sorted(scores, key=lambda axis: scores[axis][0] or 0.0)
    st.markdown(
        f"**How far to trust the places.** The plane was learnt from {name} ({of}). {other} {own} On speakers that it "
        "had not heard, its agreement with their labels (concordance, CCC; 1: exact, 0: none) was "
        f"{' and '.join(axes)}: {less} is less certain than {more}. A new voice or microphone can move the whole "
        "cloud, so compare days with each other rather than with the centre. Shares count the moments recorded "
        "(clips), not the hours of a day."
    )


def curves(diary: Diary) -> None:
    """Show how intensity, dispersion, means and quadrants change."""
    left, right = st.columns([1.3, 1], gap="medium")
    name = f"{diary.timeline.person}-{diary.timeline.period}"
    with left:
        st.markdown("**Emotional tone** (intensity, dispersion, and where the middle lies)")
        with st.container(key=TONE):
            st.plotly_chart(
                tone.lines(diary.timeline), key="tone_figure", config=CONFIG, alt="Intensity and dispersion over time"
            )
        export.picture(TONE, name=f"tone-{name}")
        st.caption(
            "Intensity: mean distance of the clips from the neutral centre. Dispersion: how far they lie from each "
            f"other (root mean square distance from their own mean). Bands: 95 %, {timeline.N_RESAMPLES:,} resamples "
            f"of the clips; none below {timeline.FEWEST} clips. A gap: no clips."
        )
    with right:
        st.markdown("**Share of moments in each quarter of the plane**")
        with st.container(key=QUADRANTS):
            st.plotly_chart(
                tone.quadrants(diary.timeline), key="quadrants_figure", config=CONFIG, alt="Share of clips by quarter"
            )
        export.picture(QUADRANTS, name=f"quarters-{name}")
        st.caption(
            "Of the clips recorded, not of the hours. With few clips a share says little: see its interval below."
        )


def numbers(diary: Diary) -> None:
    """Show the table of spans, and offer it as a file."""
    result = diary.timeline
    st.subheader(f"{result.period.capitalize()} by {result.period}", anchor=False)
    st.dataframe(summary(diary), hide_index=True, row_height=30, column_config=_widths())
    st.caption(
        "In brackets 95 % intervals: of intensity and dispersion by resampling clips, of shares by Wilson 1927. They "
        "take clips for independent, which those of one hour are not quite. The two means have no intervals."
    )
    export.table(timeline.table(result), name=f"timeline-{result.person}-{result.period}")


def summary(diary: Diary) -> pd.DataFrame:
    """Return one row for the whole and each span, numbers with their intervals in words."""
    rows = []
    for place, span in enumerate(diary.frames):
        when = WHOLE if place == 0 else f"{span.start:%Y-%m-%d}"
        row: dict[str, Any] = {WHEN[diary.timeline.period]: when, "clips": span.n_clips}
        row |= {name: number(value) for name, value in zip(("valence", "arousal"), span.centre, strict=True)}
        row["intensity"] = number(span.intensity) + interval(span.intensity_95)
        row["dispersion"] = number(span.dispersion) + interval(span.dispersion_95) if span.dispersion else "one clip"
        for name, share, pair in zip(timeline.QUADRANTS, span.quadrants, span.quadrants_95, strict=True):
            row[name] = number(100 * share, digits=0) + interval(100 * pair, digits=0)
        rows.append(row)
    return pd.DataFrame(rows)


def _pointed(choice: Choice) -> None:
    """Take the clip in hand whose point was clicked."""
    for point in st.session_state[FIGURE]["selection"]["points"]:
        row = point.get("customdata")
        if isinstance(row, int) and 0 <= row < len(choice.found.clips):
            clip_panel.take(choice.found, row)


def _widths() -> dict[str, Any]:
    widths = {"day": 92, "week of": 92, "clips": 46, "valence": 62, "arousal": 62, "intensity": 128, "dispersion": 128}
    shares = {name: st.column_config.TextColumn(width=104, help=f"{name}: % of clips") for name in timeline.QUADRANTS}
    return {name: st.column_config.Column(width=width) for name, width in widths.items()} | shares


def settle(diary: Diary) -> None:
    """Look at the link's day or week before the picture is drawn, so that a bad one can be said above it."""
    labels = [span.label for span in diary.frames]
    links.settle("span", labels, default=labels[0])


def _span(spans: Sequence[Span]) -> int:
    """Choose whose clips are listed, the whole or a span; return its number."""
    labels = [span.label for span in spans]

    def named(label: str) -> str:
        number = labels.index(label)
        words = WHOLE if number == 0 else _day(spans[number])
        return f"{words} ({spans[number].n_clips} clips)"

    chosen = widgets.select(
        "span", "Clips of", labels, default=labels[0], show=named,
        help="Also opens the picture there. The slider under the picture moves the picture alone.",
    )  # fmt: skip
    return labels.index(chosen)


def _day(span: Span) -> str:
    return span.label if span.label.startswith("week") else f"{span.start:%a} {span.label}"


def _clips(choice: Choice, diary: Diary, number: int) -> None:
    """List the clips of a span; a row is a clip to hear."""
    members = diary.members[number]
    rows, clips = diary.rows[members], choice.found.clips.iloc[diary.rows[members]]
    place = diary.points[members]
    known = (clips[EMOTION] != UNKNOWN).any()
    columns: dict[str, Any] = {"recorded": diary.times[members]}
    columns |= {"label": clips[EMOTION].to_numpy()} if known else {}
    columns |= {"valence": place[:, 0], "arousal": place[:, 1]}
    key = f"timeline_clips_{number}"

    def chosen() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            clip_panel.take(choice.found, int(rows[picked[0]]))

    in_hand = clip_panel.row_in_hand(choice.found)
    number_column = st.column_config.NumberColumn(format="%.2f", width=56)
    st.dataframe(
        pd.DataFrame(columns),
        hide_index=True,
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        selection_default=widgets.mark(key, np.flatnonzero(rows == in_hand).tolist()),
        height=min(38 + 28 * len(rows), 262),
        row_height=28,
        column_config={
            "recorded": st.column_config.DatetimeColumn(format="D MMM, HH:mm", width=92),
            "label": st.column_config.TextColumn(width=66, help="The clip's own label; the place does not know it."),
            "valence": number_column,
            "arousal": number_column,
        },
    )


def _colouring(choice: Choice, diary: Diary) -> Colouring:
    clips = choice.found.clips.iloc[diary.rows].reset_index(drop=True)
    if (clips[EMOTION] != UNKNOWN).any():
        return colours.colouring(clips, EMOTION, common=False)
    return plots.by_hour(diary.times)


def _labels(choice: Choice, diary: Diary) -> list[str]:
    clips = choice.found.clips.iloc[diary.rows]
    return [
        f"{time:%Y-%m-%d %H:%M} · {'' if emotion == UNKNOWN else f'{emotion} · '}{PurePosixPath(file).name}"
        for time, emotion, file in zip(diary.times, clips[EMOTION], clips["file"], strict=True)
    ]


def _caption(diary: Diary) -> None:
    result = diary.timeline
    outside = int((np.abs(diary.points) > timeline.REACH).any(axis=1).sum())
    parts = [
        "Play moves through time. The stronger the colour, the larger the share of that time's clips (one scale).",
        "Points are clips, words are Russell's.",
    ]
    if outside:
        parts.append(f"{outside} of {len(diary.rows):,} clips lie beyond the edge and are drawn at it.")
    if result.n_undated:
        parts.append(f"Left out, having no date: {result.n_undated:,}.")
    st.caption(" ".join(parts))


def sources(choice: Choice, diary: Diary) -> None:
    """Say in a line what is seen, and where it comes from."""
    result, both = diary.timeline, {one.name: one for one in (choice.diary, choice.learner)}
    facts = [
        f"{result.whole.n_clips:,} clips of {result.person} in {len(result.spans)} {result.period}s",
        f"{choice.diary.name}, dates from {diary.dates}",
        f"plane learnt from {choice.learner.name} by {widgets.LEARN[choice.method]}",
        f"encoder {choice.found.recipe['name']}",
        f"layer {choice.found.layers[choice.layer]}",
        widgets.SCALINGS[choice.scaling],
        "emotions learnt under common names",
    ]
    cited = "; ".join(f"{name}: {one.corpus.citation} ({one.corpus.licence})" for name, one in both.items())
    st.caption(widgets.plain(f"{' · '.join(facts)}. Source: {cited}."))
    for sentence in choice.found.damaged:
        st.caption(widgets.plain(sentence))
