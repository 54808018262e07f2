"""Clips of one's own in the pictures of a corpus: where they land on a map, and on Russell's plane.

They are white with a dark edge: that is nobody's emotion, and stands out on a light page and on a dark one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core.plots import circumplex
from ser_core.plots.colours import shown

Trace: TypeAlias = go.Scattergl | go.Scatter3d
WHITE: Final = "#ffffff"
DARK: Final = "#16181d"
OTHERS: Final = "#c9ccd2"
LINE: Final = "#8d8d8d"
INSIDE: Final = "rgba(141,141,141,0.14)"
FAINT: Final = 0.3
"""Opacity of the corpus's clips on the plane, behind one's own."""
SIZES: Final = {2: (21, 13), 3: (13, 8)}
"""Of the clip in hand and of the others in pixels, in two and in three dimensions."""
HAND: Final = "your clip"
OTHER: Final = "your other clips"
WAYS: Final = "ways"
"""``meta`` of the lines to the nearest clips."""


@dataclass(frozen=True)
class Own:
    """A clip of one's own: its name, shown as text, and its place, shape (2,) or (3,)."""

    name: str
    place: NDArray[np.floating]


def over_map(n_components: int) -> list[Trace]:
    """Return the traces, still empty, of what is drawn over a map; `on_map` has what ``clicks.js`` puts into them."""
    width = {"color": LINE, "width": 1.4 if n_components == 2 else 3.0}
    nowhere = np.full((1, n_components), np.nan)
    lines = _trace(nowhere, mode="lines", line=width, hoverinfo="skip", meta=WAYS)
    empty = [Own("", nowhere[0])]
    traces = [lines, _clips(empty, colour=OTHERS, which=1), _clips(empty, colour=WHITE, which=0)]
    return [trace.update(showlegend=False) for trace in traces]


def on_map(hand: Own | None, others: Sequence[Own], *, near: NDArray[np.floating]) -> list[dict[str, Any]]:
    """Return what is on a map, for each trace of `over_map`: one's clips, and lines from that in hand to its nearest.

    ``meta`` names the trace, ``at`` has a list for each axis (None where a line breaks), ``text`` what to show under
    the pointer, ``legend`` whether the legend names it.

    Parameters
    ----------
    near
        Where the nearest clips lie on the map, shape (k, n_components).
    """
    start = np.broadcast_to(hand.place, near.shape) if hand else near
    ways = np.stack([start, near, np.full(near.shape, np.nan)], axis=1).reshape(-1, near.shape[1])
    parts = [(WAYS, ways, []), *((name, _places(clips, near.shape[1]), clips) for name, clips in _own(hand, others))]
    return [
        {"meta": name, "at": _plain(places), "text": [shown(clip.name) for clip in clips], "legend": bool(clips)}
        for name, places, clips in parts
    ]


def _own(hand: Own | None, others: Sequence[Own]) -> list[tuple[str, Sequence[Own]]]:
    return [(OTHER, others), (HAND, [hand] if hand else [])]


def _places(clips: Sequence[Own], n_components: int) -> NDArray[np.float64]:
    return np.array([clip.place for clip in clips], np.float64).reshape(-1, n_components)


def _plain(points: NDArray[np.floating]) -> list[list[float | None]]:
    """Return a list for each axis, never an empty one: plotly would take the trace off the picture."""
    axes = [[float(f"{value:.9g}") if np.isfinite(value) else None for value in axis] for axis in points.T]
    return [axis or [None] for axis in axes]


def pointer(hand: Own) -> dict[str, Any]:
    """Return an arrow to a clip on a 3-D map, which is seen in front of all others."""
    place = dict(zip("xyz", hand.place.tolist(), strict=True))
    look = {"arrowcolor": LINE, "arrowhead": 2, "arrowwidth": 2, "standoff": 6, "ax": -48, "ay": -64}
    return {
        **place,
        **look,
        "text": f"<b>{HAND}</b>",
        "font": {"size": 13, "shadow": "auto"},
        "borderpad": 0,
    }


def plane(
    placed: NDArray[np.float64],
    labels: Sequence[str],
    *,
    rows: NDArray[np.int32],
    texts: Sequence[str],
    hand: Own | None,
    others: Sequence[Own],
    ellipse: NDArray[np.float64] | None,
    height: int,
) -> go.Figure:
    """Draw one's clips on Russell's plane, over the faint clips of the corpus that taught it.

    Parameters
    ----------
    placed, labels, rows, texts
        Of the corpus's clips, as `circumplex.plane`.
    hand
        The clip in hand by valence and arousal; None where it has no place.
    ellipse
        Edge of the region around it, shape (n, 2); None where it is not known.
    """
    there = [one.place for one in ([hand] if hand else [])] + [one.place for one in others]
    ends = np.concatenate([placed, *[place[None] for place in there], *([ellipse] if ellipse is not None else [])])
    how: dict[str, Any] = {"rows": rows, "texts": texts, "limits": _limits(placed, ends[len(placed) :])}
    figure = circumplex.plane(placed, labels, in_hand=None, height=height, **how)
    behind: dict[str, Any] = {"marker_opacity": FAINT, "unselected_marker_opacity": FAINT}
    figure.update_traces(behind, selector=lambda trace: trace.type == "scattergl" and trace.meta is None)
    if ellipse is not None:
        edge = {"color": LINE, "width": 2, "dash": "dot"}
        inside: dict[str, Any] = {"fill": "toself", "fillcolor": INSIDE, "hoverinfo": "skip", "meta": "ellipse"}
        figure.add_scatter(x=ellipse[:, 0], y=ellipse[:, 1], mode="lines", line=edge, **inside)
    if others:
        figure.add_trace(_clips(others, colour=OTHERS, which=1))
    if hand:
        figure.add_trace(_clips([hand], colour=WHITE, which=0))
    return figure.update_traces(showlegend=False)


def _clips(clips: Sequence[Own], *, colour: str, which: int) -> Trace:
    """Draw clips as diamonds; ``which`` is 0 for the one in hand, 1 for the others."""
    places = np.array([one.place for one in clips], np.float64)
    marker = {
        "symbol": "diamond", "size": SIZES[places.shape[1]][which], "color": colour, "opacity": 1,
        "line": {"color": DARK, "width": 2.5 - which},
    }  # fmt: skip
    text = [shown(one.name) for one in clips]
    said = "%{text}<extra></extra>"
    name = (HAND, OTHER)[which]
    return _trace(places, mode="markers", marker=marker, text=text, hovertemplate=said, name=name, meta=name)


def _trace(points: NDArray[np.float64], **options: Any) -> Trace:
    """Draw as the corpus's points are drawn: plotly puts those above all that is not WebGL."""
    if points.shape[1] == 2:
        return go.Scattergl(x=points[:, 0], y=points[:, 1], **options)
    return go.Scatter3d(x=points[:, 0], y=points[:, 1], z=points[:, 2], **options)


USUAL: Final = (1.5, 1.25)
"""Valence and arousal up to which is in sight at least: Russell's circle with its words."""
MARGIN: Final = 0.15
"""Room around what lies furthest out."""


def _limits(placed: NDArray[np.float64], own: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Return what is in sight: Russell's circle, nearly all clips of the corpus, and all of one's own."""
    low, high = np.percentile(placed, [1, 99], axis=0) if len(placed) else np.zeros((2, 2))
    if len(own):
        low, high = np.minimum(low, own.min(axis=0)), np.maximum(high, own.max(axis=0))
    out = [end for axis in (0, 1) for end in (low[axis] - MARGIN, high[axis] + MARGIN)]
    return min(-USUAL[0], out[0]), max(USUAL[0], out[1]), min(-USUAL[1], out[2]), max(USUAL[1], out[3])
