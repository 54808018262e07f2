"""Russell's circle of affect in pictures: emotions of a map on it, clips on its plane, and his 28 words."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from ser_core import emotions
from ser_core.geometry import russell
from ser_core.geometry.circumplex import Circle
from ser_core.geometry.density import in_order
from ser_core.geometry.russell import Word
from ser_core.plots.colours import GREY, shown

Kind: TypeAlias = type[go.Scatter] | type[go.Scattergl]
FAINT: Final = "rgba(128,128,128,0.28)"
LINE: Final = "#8d8d8d"
INNER: Final = 0.8
"""Radius at which the centroid that lies furthest out is drawn; Russell's circle has radius 1."""
CLEAR: Final = 11
"""Pixels between a point and its label."""
PRINTED: Final = 0.93
"""Radius at which the angles that the paper prints are marked."""
SIDES: Final = {
    "middle right": (1, 0), "middle left": (-1, 0), "top center": (0, 1), "bottom center": (0, -1),
    "top right": (1, 1), "top left": (-1, 1), "bottom right": (1, -1), "bottom left": (-1, -1),
}  # fmt: skip
"""Where a label can stand beside its point, the best first."""


def rings(circle: Circle) -> go.Figure:
    """Draw the emotions of a map inside Russell's circle, each tied to its place there; arcs are 95 % intervals."""
    scale = INNER / max(circle.polar.radius.max(), 1e-12)
    radius, angle = circle.polar.radius * scale, circle.polar.angle
    traces = [_ring(), *_names(set(circle.names))]
    for k, name in enumerate(circle.names):
        colour = emotions.style(name).colour
        if circle.angle_95 is not None and np.isfinite(circle.angle_95[k]).all():
            low, high = circle.angle_95[k]
            traces.append(_line(radius[k], np.linspace(low, high, 60), colour=colour, width=7, opacity=0.4))
        if np.isfinite(circle.reference[k]):
            way = np.linspace(0, 1, 30)
            away = (circle.reference[k] - angle[k] + 180) % 360 - 180  # the short way round
            far = radius[k] + (1 - radius[k]) * way
            traces.append(_line(far, angle[k] + away * way, colour=colour, width=1.3, dash="dot"))
    points = _at(radius, angle)
    said = [_said(circle, k) for k in range(len(angle))]
    traces += _middles(points, circle.names, said, size=13, kind=go.Scatter)
    names = _labels(points, circle.names, unit=0.005)
    return go.Figure(traces, _layout((-1.3, 1.3, -1.3, 1.3), height=560) | {"annotations": names})


def plane(
    placed: NDArray[np.float64],
    labels: Sequence[str],
    *,
    rows: NDArray[np.int32],
    texts: Sequence[str],
    limits: tuple[float, float, float, float],
    in_hand: int | None,
    height: int,
) -> go.Figure:
    """Draw clips on Russell's plane, coloured by emotion, the middle of each emotion large.

    Parameters
    ----------
    placed, labels, rows, texts
        Valence and arousal, shape (n_clips, 2); common emotion name; number that travels as ``customdata``; and what to
        show under the pointer, of each clip.
    limits
        What is in sight: valence from and to, arousal from and to.
    in_hand
        The one of ``rows`` that gets a ring around it.
    height
        Of the picture in pixels.
    """
    words = np.asarray(labels, str)
    names = in_order(words)
    clouds = [_cloud(name, placed, np.flatnonzero(words == name), rows, texts) for name in names]
    middles = np.array([placed[words == name].mean(axis=0) for name in names])
    said = [f"middle of {shown(name)}" for name in names]
    unit = (limits[3] - limits[2]) / (height - 40)
    traces = [_ring(), *_names(set(), size=11), *clouds, *_middles(middles, names, said, size=15, kind=go.Scattergl)]
    here = np.flatnonzero(rows == in_hand) if in_hand is not None else np.array([], int)
    ring = {"symbol": "circle-open", "size": 18, "color": GREY, "line": {"width": 3, "color": GREY}}
    in_ring = {"mode": "markers", "marker": ring, "hoverinfo": "skip", "showlegend": False, "meta": "in hand"}
    traces.append(go.Scattergl(x=placed[here, 0], y=placed[here, 1], **in_ring))
    layout = _layout(limits, height=height) | {"annotations": _labels(middles, names, unit=unit)}
    return go.Figure(traces, layout)


def words(found: Sequence[Word]) -> go.Figure:
    """Draw words around the circle at their angles: the larger, the more people agreed; inside, the printed angles."""
    anchors = {word: emotion for emotion, word in russell.ANCHORS.items()}
    angle = np.array([word.angle for word in found])
    published = np.array([word.published for word in found])
    spots, labels = _at(1.0, angle), _staggered(angle, away=1.14, gap=0.088)
    leaders = _broken(np.stack([spots, labels], axis=1))
    away = (published - angle + 180) % 360 - 180
    ways = _broken(_at(PRINTED, angle[:, None] + away[:, None] * np.linspace(0, 1, 20)))
    dots = {"symbol": "circle-open", "size": 5, "color": LINE}
    said = [
        f"{shown(word.word)}: {word.angle:.1f}° (printed {word.published:.1f}°), agreement {word.agreement:.2f}"
        for word in found
    ]
    inks = [emotions.style(anchors[word.word]).colour if word.word in anchors else LINE for word in found]
    sizes = [1 + 12 * word.agreement**2 for word in found]
    marker = {"size": sizes, "color": inks, "opacity": 1, "line": {"width": 0}}
    sides = ["middle right" if x >= 0 else "middle left" for x in labels[:, 0]]
    names = [shown(word.word) for word in found]
    traces = [
        _ring(),
        *_categories(),
        _scatter(leaders, mode="lines", line={"color": FAINT, "width": 1}),
        _scatter(ways, mode="lines", line={"color": LINE, "width": 1.5}),
        _scatter(_at(PRINTED, published), mode="markers", marker=dots, meta="published"),
        _scatter(spots, mode="markers", marker=marker, text=said, hovertemplate="%{text}<extra></extra>", meta="words"),
        _scatter(labels, mode="text", text=names, textposition=sides, textfont={"size": 13}, meta="names"),
    ]
    return go.Figure(traces, _layout((-1.5, 1.5, -1.3, 1.3), height=600))


def _at(radius: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """Return points (n, 2) from radius and angle."""
    radians = np.radians(degrees)
    return np.stack(np.broadcast_arrays(radius * np.cos(radians), radius * np.sin(radians)), axis=-1)


def _scatter(points: NDArray[np.float64], **options: Any) -> go.Scatter:
    silent = {} if "hovertemplate" in options else {"hoverinfo": "skip"}
    return go.Scatter(x=points[:, 0], y=points[:, 1], **({"showlegend": False} | silent | options))


def _line(radius: ArrayLike, degrees: ArrayLike, *, colour: str, width: float, **options: Any) -> go.Scatter:
    line = {"color": colour, "width": width} | ({"dash": options.pop("dash")} if "dash" in options else {})
    return _scatter(_at(radius, degrees), mode="lines", line=line, **options)


def _broken(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put lines, shape (n_lines, n_points, 2), behind each other with a gap after each."""
    gap = np.full((len(lines), 1, 2), np.nan)
    return np.concatenate([lines, gap], axis=1).reshape(-1, 2)


def _ring() -> go.Scatter:
    return _line(1.0, np.linspace(0, 360, 181), colour=LINE, width=1.5)


def _names(marked: set[str], *, size: int = 13) -> list[go.Scatter]:
    """Write Russell's words at their places on the circle, with a mark for the emotions ``marked``."""
    titles = {**russell.ANCHORS, "disgust": "disgust*"}
    angles = np.array([russell.reference(name) for name in titles], float)
    sides = [_side(angle) for angle in angles]
    faint, text = {"size": size, "color": LINE}, list(titles.values())
    out = [_scatter(_at(1.05, angles), mode="text", text=text, textposition=sides, textfont=faint, meta="russell")]
    for name, angle in zip(titles, angles, strict=True):
        if name in marked:
            style = emotions.style(name)
            marker = {"symbol": style.symbol, "size": 10, "color": style.colour, "line": _edge(name)}
            said = f"{name}: Russell's “{titles[name].rstrip('*')}” at {angle:.0f}°"
            hover = f"{said}<extra></extra>"
            out.append(_scatter(_at(1.0, [angle]), mode="markers", marker=marker, hovertemplate=hover))
    return out


def _side(angle: float) -> str:
    """Return where a label stands that is not to lie on the circle."""
    x, y = _at(1.0, angle)
    across = "right" if x > 0.3 else "left" if x < -0.3 else "center"
    up = "top" if y > 0.3 else "bottom" if y < -0.3 else "middle"
    return f"{up} {across}"


def _said(circle: Circle, k: int) -> str:
    text = f"{shown(circle.names[k])}: {circle.polar.angle[k]:.0f}°"
    if circle.angle_95 is not None and np.isfinite(circle.angle_95[k]).all():
        low, high = circle.angle_95[k] % 360
        text += f" ({low:.0f}° to {high:.0f}°)"
    return f"{text}, radius {circle.polar.radius[k]:.3g}, {circle.n_clips[k]:,} clips"


def _edge(name: str) -> dict[str, Any]:
    """Open shapes are all outline."""
    style = emotions.style(name)
    return {"color": style.colour, "width": 2.5 if style.symbol.endswith("-open") else 0}


def _middles(
    points: NDArray[np.float64],
    names: Sequence[str],
    said: Sequence[str],
    *,
    size: int,
    kind: type[go.Scatter] | type[go.Scattergl],
) -> list[go.Scatter | go.Scattergl]:
    """Draw the middles of emotions in their colours, with what to say of each under the pointer."""
    out = []
    for point, name, text in zip(points, names, said, strict=True):
        style = emotions.style(name)
        marker = {"symbol": style.symbol, "size": size, "color": style.colour, "line": _edge(name)}
        options = {"mode": "markers", "showlegend": False, "meta": "middle", "name": shown(name)}
        out.append(kind(x=point[:1], y=point[1:], marker=marker, hovertemplate=f"{text}<extra></extra>", **options))
    return out


def _labels(points: NDArray[np.float64], names: Sequence[str], *, unit: float) -> list[dict[str, Any]]:
    """Write names beside their points, above all else; ``unit`` is the length of a pixel."""
    out = []
    for (x, y), name, side in zip(points, names, _sides(points, names, unit=unit), strict=True):
        right, up = SIDES[side]
        anchors = {"xanchor": ("center", "left", "right")[right], "yanchor": ("middle", "bottom", "top")[up]}
        shifts = {"xshift": CLEAR * right * (0.7 if up else 1), "yshift": CLEAR * up * (0.7 if right else 1)}
        look = {"showarrow": False, "font": {"size": 13, "shadow": "auto"}, "borderpad": 0}
        out.append({"x": x, "y": y, "text": f"<b>{shown(name)}</b>", **anchors, **shifts, **look})
    return out


def _sides(points: NDArray[np.float64], names: Sequence[str], *, unit: float) -> list[str]:
    """Choose for each label, one after the other, the side where it covers least of points and labels before it."""
    boxes = [(x - CLEAR * unit, y - CLEAR * unit, x + CLEAR * unit, y + CLEAR * unit) for x, y in points]
    out = []
    for (x, y), name in zip(points, names, strict=True):
        wide, tall = 8 * unit * len(name), 16 * unit
        tried = {}
        for side, (right, up) in SIDES.items():
            left = x + (CLEAR * unit * right if right else -wide / 2) - (wide if right < 0 else 0)
            low = y - tall / 2 + (tall / 2 + CLEAR * unit) * up
            tried[side] = (left, low, left + wide, low + tall)
        best = min(tried, key=lambda side: sum(_overlap(tried[side], box) for box in boxes))
        boxes.append(tried[best])
        out.append(best)
    return out


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    across, up = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * up if across > 0 and up > 0 else 0.0


def _cloud(
    name: str, placed: NDArray[np.float64], here: NDArray[np.intp], rows: NDArray[np.int32], texts: Sequence[str]
) -> go.Scattergl:
    style = emotions.style(name)
    opacity = float(np.interp(np.log10(max(len(placed), 1)), [2, 3.5], [0.75, 0.4]))
    edge = {"color": style.colour, "width": 1.2 if style.symbol.endswith("-open") else 0}
    return go.Scattergl(
        x=placed[here, 0],
        y=placed[here, 1],
        mode="markers",
        name=shown(name),
        customdata=rows[here],
        text=[shown(texts[row]) for row in here],
        hovertemplate="%{text}<br>valence %{x:.2f}, arousal %{y:.2f}<extra></extra>",
        showlegend=False,
        marker={"symbol": style.symbol, "size": 5, "color": style.colour, "opacity": opacity, "line": edge},
        unselected={"marker": {"opacity": opacity}},
    )


def _categories() -> list[go.Scatter]:
    """Write the eight categories into the circle, where people were told they are."""
    (names, angles), faint = zip(*russell.CATEGORIES, strict=True), {"size": 12, "color": LINE}
    return [_scatter(_at(0.72, angles), mode="text", text=list(names), textfont=faint, meta="categories")]


def _staggered(degrees: NDArray[np.float64], *, away: float, gap: float) -> NDArray[np.float64]:
    """Return a place for each label outside the circle: beside its angle, lines of text at least ``gap`` apart.

    On each side the heights move as little as possible (least squares: isotonic regression by its max-min formula).
    """
    ideal = _at(away, degrees)
    out = ideal.copy()
    for side in (ideal[:, 0] >= 0, ideal[:, 0] < 0):
        here = np.flatnonzero(side)[np.argsort(ideal[side, 1], kind="stable")]
        steps = gap * np.arange(len(here))
        free = ideal[here, 1] - steps
        n = range(len(here))
        fits = [max(min(free[j : k + 1].mean() for k in n[i:]) for j in n[: i + 1]) for i in n]
        out[here, 1] = fits + steps
    width = np.maximum(np.sqrt(np.maximum(away**2 - out[:, 1] ** 2, 0)), np.abs(ideal[:, 0]))
    out[:, 0] = np.where(ideal[:, 0] >= 0, width, -width)
    return out


def _layout(limits: tuple[float, float, float, float], *, height: int) -> dict[str, Any]:
    axis = {
        "showgrid": False, "zeroline": True, "zerolinecolor": FAINT, "showticklabels": False,
        "showline": False, "constrain": "domain",
    }  # fmt: skip
    across = {"text": "←  unpleasant   (valence)   pleasant  →", "font": {"size": 13}, "standoff": 4}
    up = {"text": "←  quiet   (arousal)   activated  →", "font": {"size": 13}, "standoff": 4}
    return {
        "height": height, "margin": {"l": 24, "r": 8, "t": 8, "b": 28}, "showlegend": False, "dragmode": "pan",
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": "#4d7fb8"},
        "xaxis": axis | {"title": across, "range": list(limits[:2])},
        "yaxis": axis | {"title": up, "range": list(limits[2:]), "scaleanchor": "x", "scaleratio": 1},
    }  # fmt: skip
