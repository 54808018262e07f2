"""How well trained models recognise emotions: what is taken for what, run against run, known against unseen voices."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core import emotions
from ser_core.comparison import Premium
from ser_core.plots import distances, rows
from ser_core.plots.colours import GREY, oklch, shown

Interval = tuple[float, float]

HEIGHT: Final = 500
"""Of the matrix, in pixels: as much as its column on a page 1,280 wide lets it use."""
FEW: Final = 0.1
"""Below this share cells are pale, with the ink of the page, so that what matters stands out."""
PALE: Final = "rgba(128,134,145,0.12)"
SHARES: Final = tuple(oklch(0.56, 0.02 + 0.15 * share, 255) for share in np.linspace(FEW, 1, 7))
"""From `FEW` on: grey to blue, as light everywhere, so that it is neither lost on a light page nor on a dark one."""
SCALE: Final = [(0.0, PALE), (FEW, PALE), *zip(np.linspace(FEW, 1, 7).tolist(), SHARES, strict=True)]
WHITE: Final = "#ffffff"
"""On `SHARES`, with a contrast of 4.5 : 1 or more."""
RIM: Final = 0.08
"""Room for the shapes of the emotions beside the cells, as a share of them."""
STILL: Final[Any] = {"marker": {"opacity": 1}}
"""Of points that look the same whatever is clicked."""
LETTERS: Final = ("A", "B")
LETTER: Final = 5
"""Room for a letter beside 0 and 100 %, in per cent."""
FACTS: Final = ["n", "recall", "precision", "f1"]
LINE: Final = 50
"""Letters of a run's name on one line."""
FIXED: Final = "\N{NO-BREAK SPACE}"
PAIR: Final = 62
"""Height of a pair of bars with its gap, in pixels."""


@dataclass(frozen=True)
class Entry:
    """A run in the leaderboard: its UAR with a 95 % interval, and the UAR of guessing, all 0-1.

    ``unseen`` says whether all speakers of the test were new to it, ``contaminated`` whether what its inputs are made
    with had seen the corpus.
    """

    label: str
    uar: float
    interval: Interval
    chance: float
    unseen: bool
    contaminated: bool

    @property
    def kind(self) -> str:
        """What the legend calls it."""
        speakers = "unseen speakers" if self.unseen else "shared speakers"
        return f"{speakers}, input saw the corpus" if self.contaminated else speakers


def confusion(
    counts: NDArray[np.int64], classes: Sequence[str], *, rates: bool, cell: tuple[int, int] | None
) -> go.Figure:
    """Draw clips by true (row) and recognised (column) emotion, shape (k, k).

    Row and column of a cell travel as ``customdata`` of the invisible points in the last trace; wherever a cell is
    clicked, its point is the nearest.

    Parameters
    ----------
    rates
        Whether to show shares of each row in per cent, instead of clips.
    cell
        Row and column to put a frame around.
    """
    k = len(classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    strength = shares if rates else counts / max(int(counts.max()), 1)
    heat = go.Heatmap(z=strength, zmin=0, zmax=1, colorscale=SCALE, showscale=False, hoverinfo="skip", xgap=2, ygap=2)
    notes = [
        _written(row, column, _short(100 * shares[row, column]) if rates else f"{counts[row, column]:,}")
        | {"font": _font(k, strong=bool(strength[row, column] >= FEW))}
        for row, column in np.argwhere(counts > 0).tolist()
    ]
    edge = 0.5 + RIM * k
    across = {"title": {"text": f"recognised as ({'% of the row' if rates else 'clips'})", "standoff": 10}}
    along = {"title": {"text": "true emotion", "standoff": 14}, "autorange": False, "scaleanchor": "x"}
    return go.Figure(
        [heat, _rim(classes), _targets(counts, shares, classes)],
        rows.bare() | {
            "height": HEIGHT, "hovermode": "closest", "hoverdistance": -1, "annotations": notes,
            "shapes": [] if cell is None else [distances.frame(*cell)],
            "xaxis": distances.axis(classes) | across | {
                "range": [-edge, k - 0.5], "tickangle": 0 if k < 7 else -40, "constraintoward": "left",
            },
            "yaxis": distances.axis(classes) | along | {"range": [k - 1 + edge, -0.5], "constraintoward": "top"},
        },
    )  # fmt: skip


def leaderboard(entries: Sequence[Entry]) -> go.Figure:
    """Draw the UAR of runs with their intervals, the first above; the number of an entry travels as ``customdata``."""
    chance = go.Scatter(
        x=[100 * one.chance for one in entries], y=list(range(len(entries))), mode="markers", name="guessing",
        marker={"symbol": "line-ns-open", "size": 16, "color": GREY, "line": {"width": 1.5, "color": GREY}},
        hovertemplate="guessing: %{x:.1f} %<extra></extra>", unselected=STILL,
    )  # fmt: skip
    spans = rows.whiskers(list(enumerate(one.interval for one in entries)), 100.0)
    out = go.Figure([chance, spans], rows.layout(len(entries), "UAR: mean recall of the emotions"))
    for *_, kind in sorted({(one.contaminated, not one.unseen, one.kind) for one in entries}):
        out.add_trace(_points({number: one for number, one in enumerate(entries) if one.kind == kind}))
    names = [_in_two(one.label) for one in entries]
    out.update_layout(showlegend=True, legend=rows.legend(), hovermode="closest", height=rows.ROW * len(entries) + 84)
    _per_cent(out)
    return out.update_yaxes(rows.places(names))


def _in_two(label: str) -> str:
    """Return what a run is called, in two lines where one would take the room of the picture."""
    if len(label) <= LINE:
        return shown(label)
    model, dot, split = label.partition(" ·")
    whole = model + dot + split.replace(" ", FIXED)  # how it was tested stays together
    return "  <br>".join(shown(line) for line in textwrap.wrap(whole, max(LINE, len(label) // 2 + 10)))


def classwise(report: pd.DataFrame, *, intervals: Sequence[Interval | None], chance: float) -> go.Figure:
    """Draw how many clips of each emotion were recognised, with an interval where there is one, and the chance line.

    ``report`` is what `ser_core.scores.report` gives, ``intervals`` those of its recalls, in its order, 0-1.
    """
    words, recalls = [shown(name) for name in report["emotion"]], 100 * report["recall"].to_numpy(np.float64)
    says = [_report_of(word, *facts) for word, facts in zip(words, report[FACTS].itertuples(index=False), strict=True)]
    bars = go.Bar(
        x=recalls, y=np.arange(len(words)), orientation="h", text=says, textposition="none", showlegend=False,
        marker={"color": [emotions.style(name).colour for name in report["emotion"]], "line": {"width": 0}},
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    out = go.Figure([bars, rows.whiskers(list(enumerate(intervals)), 100.0)], rows.layout(len(words), "recognised"))
    _chance(out, chance)
    names = [f"{word}  <b>{_whole(recall)}</b>" for word, recall in zip(words, recalls, strict=True)]
    return _per_cent(out).update_yaxes(rows.places(names))


def premium(premiums: Mapping[str, Premium], *, chance: float) -> go.Figure:
    """Draw what each model scores with shared speakers and with unseen ones, as a pair of bars with their intervals."""
    each = list(premiums.values())
    places = np.arange(len(each))
    sides = (
        ("shared speakers", rows.REST, places - 0.2, [(one.uar_random, one.interval_random) for one in each]),
        ("unseen speakers", rows.BAR, places + 0.2, [(one.uar_speaker, one.interval_speaker) for one in each]),
    )
    out = go.Figure(layout=rows.layout(len(each), "UAR: mean recall of the emotions"))
    for name, ink, at, scores in sides:
        out.add_trace(
            go.Bar(
                x=[100 * uar for uar, _ in scores], y=at, orientation="h", width=0.36, name=name,
                marker={"color": ink, "line": {"width": 0}},
                text=[f"{name}: UAR {_with_interval(*score)}" for score in scores], textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    for _, _, at, scores in sides:
        spans = [(float(place), interval) for place, (_, interval) in zip(at, scores, strict=True)]
        out.add_trace(rows.whiskers(spans, 100.0).update(showlegend=False))
    _chance(out, chance)
    names = [f"{shown(label)}  <br>{_points_less(one)}" for label, one in premiums.items()]
    out.update_layout(height=PAIR * len(each) + 90, barmode="overlay", showlegend=True, legend=rows.legend())
    return _per_cent(out).update_yaxes(rows.places(names))


def difference(first: pd.DataFrame, second: pd.DataFrame, *, labels: tuple[str, str]) -> go.Figure:
    """Draw how many clips of each emotion two runs, A and B, recognised: two reports of `ser_core.scores.report`.

    Raises
    ------
    ValueError
        If the reports are not of the same emotions in the same order.
    """
    names = list(first["emotion"])
    if names != list(second["emotion"]):
        raise ValueError(f"reports of different emotions: {', '.join(names)} and {', '.join(second['emotion'])}")
    both = 100 * np.array([first["recall"], second["recall"]], np.float64)
    lines = np.column_stack([*both, np.full(len(names), np.nan)]).ravel()
    styles = [emotions.style(name) for name in names]
    inks = [one.colour for one in styles]
    marker = {"symbol": [one.symbol for one in styles], "size": 11, "color": inks, "line": {"color": inks}}
    places = np.arange(len(names))
    out = go.Figure(
        go.Scatter(x=lines, y=places.repeat(3), mode="lines", line={"color": rows.WHISKER, "width": 1.5},
                   hoverinfo="skip"),
        rows.layout(len(names), "recognised"),
    )  # fmt: skip
    right = both[0] > both[1]
    for letter, label, own, outer in zip(LETTERS, labels, both, (right, ~right), strict=True):
        out.add_trace(
            go.Scatter(
                x=own, y=places, mode="markers+text", marker=marker, cliponaxis=False, text=[letter] * len(names),
                textposition=["middle right" if one else "middle left" for one in outer],
                customdata=[shown(name) for name in names],
                hovertemplate=f"{letter}, {shown(label)}<br>%{{customdata}}: %{{x:.1f}} %<extra></extra>",
            )
        )  # fmt: skip
    said = "<br>".join(f"<b>{letter}</b>  {shown(label)}" for letter, label in zip(LETTERS, labels, strict=True))
    out.add_annotation(
        x=0, y=1, xref="paper", yref="paper", xanchor="left", yanchor="bottom", align="left", text=said, showarrow=False
    )
    out.update_layout(height=rows.ROW * len(names) + 100, margin_t=46)
    names = [shown(name) for name in names]
    return _per_cent(out).update_yaxes(rows.places(names)).update_xaxes(range=[-LETTER, 100 + LETTER])


def _written(row: int, column: int, text: str) -> dict[str, Any]:
    return {"x": column, "y": row, "text": text, "showarrow": False}


def _font(k: int, *, strong: bool) -> dict[str, Any]:
    return {"size": float(np.clip(130 / k, 8, 15))} | ({"color": WHITE} if strong else {})


def _short(percent: float) -> str:
    return "<1" if 0 < percent < 0.5 else f"{percent:.0f}"


def _whole(percent: float) -> str:
    return f"{percent:.0f} %" if np.isfinite(percent) else ""


def _rim(classes: Sequence[str]) -> go.Scatter:
    """Return each emotion's own colour and shape, left of its row and under its column."""
    k = len(classes)
    styles = [emotions.style(name) for name in classes] * 2
    places, edge = np.arange(k), np.full(k, -0.5 - RIM * k / 2)
    inks = [one.colour for one in styles]
    marker = {"color": inks, "symbol": [one.symbol for one in styles], "size": 10, "line": {"color": inks, "width": 1}}
    return go.Scatter(
        x=[*edge, *places], y=[*places, *(k - 1 - edge)], mode="markers", marker=marker, hoverinfo="skip",
        selected=STILL, unselected=STILL,
    )  # fmt: skip


def _targets(counts: NDArray[np.int64], shares: NDArray[np.float64], classes: Sequence[str]) -> go.Scatter:
    k = len(classes)
    cells = np.argwhere(np.ones((k, k), bool))
    words = [shown(name) for name in classes]
    says = [
        f"{words[row]} {'recognised' if row == column else f'taken for {words[column]}'}: {counts[row, column]:,} of "
        f"{counts[row].sum():,} clips ({_short(100 * shares[row, column])} %)"
        for row, column in cells.tolist()
    ]
    none: Any = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=cells[:, 1], y=cells[:, 0], mode="markers", text=says, hovertemplate="%{text}<extra></extra>",
        marker={"size": 24, "symbol": "square", "color": GREY, "opacity": 0}, selected=none, unselected=none,
        customdata=cells.tolist(),  # as lists: rows of a typed array would come back from the page as objects
    )  # fmt: skip


def _points(entries: Mapping[int, Entry]) -> go.Scatter:
    """Return the points of entries of one kind: filled for unseen speakers, blue where the encoder is clean."""
    first = next(iter(entries.values()))
    ink = GREY if first.contaminated else rows.BAR
    says = [
        f"<b>{shown(one.label)}</b><br>UAR {_with_interval(one.uar, one.interval)}<br>{one.kind}"
        for one in entries.values()
    ]
    return go.Scatter(
        x=[100 * one.uar for one in entries.values()], y=list(entries), mode="markers",
        name=first.kind, text=says, hovertemplate="%{text}<extra></extra>", customdata=list(entries), cliponaxis=False,
        marker={"symbol": "circle" if first.unseen else "circle-open", "size": 12, "color": ink,
                "line": {"color": ink, "width": 2}},
        selected=STILL, unselected=STILL,
    )  # fmt: skip


def _with_interval(share: float, interval: Interval) -> str:
    return f"{100 * share:.1f} % ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def _points_less(one: Premium) -> str:
    said, low, high = (rows.signed(100 * value) for value in (one.difference, *one.interval))
    return f"premium {said} points ({low} to {high})"


def _per_cent(out: go.Figure) -> go.Figure:
    """Make the x axis one of per cent, all of them, with room for its last number."""
    out.update_layout(margin_r=24)
    return out.update_xaxes(range=[0, 100], dtick=20, ticksuffix=" %", showgrid=True)


def _report_of(word: str, n: int, *shares: float) -> str:
    recall, precision, f1 = (f"{100 * share:.1f} %" if np.isfinite(share) else "not known" for share in shares)
    return (
        f"<b>{word}</b>, {n:,} clips<br>of these, recognised (recall): {recall}<br>"
        f"of clips taken for it, right (precision): {precision}<br>F1: {f1}"
    )


def _chance(out: go.Figure, chance: float) -> None:
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    out.add_shape(type="line", x0=100 * chance, x1=100 * chance, y0=0, y1=1, yref="paper", line=line)
