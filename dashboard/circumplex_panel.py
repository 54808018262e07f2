"""Emotions in a circle: how the map is turned, the picture, the agreement with Russell, and his own 28 words."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import export, links, widgets
from dashboard.words import interval, number
from ser_core import circle as analysis
from ser_core.circle import Order
from ser_core.geometry.circular import OrderTest
from ser_core.geometry.circumplex import Alignment
from ser_core.geometry.russell import Word, russell
from ser_core.plots import circumplex as plots

CONFIG: Final = {"displaylogo": False, "modeBarButtonsToRemove": ["toImage", "select2d", "lasso2d", "autoScale2d"]}
NOTES: Final = (
    "Neutral has no place on Russell's circle, and disgust (*) is not among his words: it is put between afraid and "
    "sad. Distances from the middle are scaled to the picture; the table has them. Its intervals run counter-clockwise."
)
LEGEND: Final = (
    "Point: the mean direction of a word's counts, the larger the more people agreed. Small ring inside, on a line "
    "from there: the angle that the paper prints. In colour: words that stand for an emotion of the corpora. "
    "In the middle: the eight categories that people sorted into."
)
WAYS: Final = {"fitted": "fitted to Russell", "hand": "by hand"}
DISAGREES_FROM: Final = 10.0
"""Degrees between recomputed and printed angle from which a word is named."""


def turn(fitted: Alignment) -> Alignment | None:
    """Choose how the map is turned: by hand, or None as ``fitted``, where turning by hand begins."""
    degrees = st.session_state.get("turn")
    if degrees is not None and degrees not in range(360):
        if links.from_link("turn"):
            wrong = str(degrees)[: links.LONGEST]
            links.note(f"The link asks for turn “{wrong}”, expected a whole number of degrees from 0 to 359.")
        degrees = st.session_state["turn"] = None

    def switched() -> None:
        by_hand = st.session_state["_turning"] == "hand"
        st.session_state["turn"] = round(fitted.rotation) % 360 if by_hand else None
        st.session_state["mirror"] = _word(fitted.mirrored) if by_hand else None

    st.session_state["_turning"] = "fitted" if degrees is None else "hand"
    arguments: dict[str, Any] = {"key": "_turning", "on_change": switched, "required": True, "width": "stretch"}
    st.segmented_control("Turn of the map", list(WAYS), format_func=WAYS.__getitem__, **arguments)
    if degrees is None:
        st.session_state["mirror"] = None
        return None
    mirrored = links.settle("mirror", ["no", "yes"], default="no") == "yes"

    def moved() -> None:
        st.session_state["turn"] = st.session_state["_turn"]
        st.session_state["mirror"] = _word(st.session_state["_mirror"])

    st.session_state["_turn"], st.session_state["_mirror"] = degrees, mirrored
    st.slider("Turned by (degrees, counter-clockwise)", 0, 359, key="_turn", on_change=moved)
    st.toggle("Mirrored before (up and down exchanged)", key="_mirror", on_change=moved)
    return Alignment(float(degrees), mirrored=mirrored)


def order(result: Order, *, dimensions: int) -> None:
    """Show the emotions in a circle beside Russell's, the agreement of the two, and the table of angles."""
    found = result.circle
    left, right = st.columns([1.85, 1], gap="medium")
    with left, st.container(key="rings"):
        alt = "Emotions of the map inside Russell's circle; the table below lists their angles"
        st.plotly_chart(plots.rings(found), key="rings_figure", config=CONFIG, alt=alt)
    with left:
        export.picture("rings", name="circle-of-emotions")
        st.caption(f"{_turned(found.alignment)} {_arcs(result)} {NOTES}")
    with right:
        st.markdown("\n\n".join(_orders(result)))
        st.markdown(_agreement(result, dimensions))
        st.caption(_caution(result))
    numbers = pd.DataFrame(analysis.order_summary(result)["circle"])
    numbers[["angle_from", "angle_to"]] = [pair or (None, None) for pair in numbers.pop("angle_95")]
    numbers["difference"] = (numbers["angle"] - numbers["russell"].astype(float) + 180) % 360 - 180
    shown = pd.DataFrame(
        {
            "emotion": numbers["emotion"],
            "clips": numbers["n_clips"],
            "radius": numbers["radius"],
            "angle (°)": numbers["angle"],
            "95 % (°)": [_arc(*pair) for pair in numbers[["angle_from", "angle_to"]].to_numpy(float)],
            "Russell's (°)": numbers["russell"].astype(float),
            "difference (°)": numbers["difference"],
        }
    )
    formats: dict[Any, Any] = {"radius": "{:.3g}", "difference (°)": "{:+.0f}"}
    styled = shown.style.format(formats, precision=0, na_rep="none")
    st.dataframe(styled, hide_index=True, key="circle_table")
    export.table(numbers, name="circle-of-emotions")


def words() -> None:
    """Show Russell's 28 words as he drew them, and their table."""
    found = russell()
    left, right = st.columns([1.85, 1], gap="medium")
    with left:
        with st.container(key="words"):
            alt = "Russell's 28 words around the circle; the table lists their angles"
            st.plotly_chart(plots.words(found), key="words_figure", config=CONFIG, alt=alt)
        export.picture("words", name="russell-28-words")
    with right:
        st.markdown(_disagreement(found))
        st.caption(LEGEND)
    table = pd.DataFrame(
        {
            "word": [word.word for word in found],
            "angle": [word.angle for word in found],
            "agreement": [word.agreement for word in found],
            "published angle": [word.published for word in found],
            "difference": [_difference(word) for word in found],
        }
    )
    formats: dict[Any, Any] = dict.fromkeys(("angle", "published angle"), "{:.1f}°")
    formats |= {"agreement": "{:.2f}", "difference": lambda degrees: f"{round(degrees, 1) + 0.0:+.1f}°"}
    height = 28 * (len(table) + 1) + 10
    st.dataframe(table.style.format(formats), hide_index=True, height=height, row_height=28, key="word_table")
    export.table(table, name="russell-28-words")


def _word(mirrored: object) -> str:
    return "yes" if mirrored else "no"


def _turned(alignment: Alignment) -> str:
    mirrored = "mirrored (up and down exchanged) and " if alignment.mirrored else ""
    way = "counter-clockwise" if alignment.rotation >= 0 else "clockwise"
    return f"The map is {mirrored}turned by {abs(alignment.rotation):.0f}° {way}."


def _arcs(result: Order) -> str:
    if result.circle.angle_95 is None:
        return "One speaker only: there are no intervals."
    return f"Arcs: 95 % intervals of the angles, drawing {result.n_speakers} speakers anew."


def _arc(low: float, high: float) -> str:
    """Return an interval of angles, read counter-clockwise."""
    if np.isnan(low) or np.isnan(high):
        return "none"
    return "all around" if high - low >= 360 else f"{low % 360:.0f} to {high % 360:.0f}"


def _orders(result: Order) -> list[str]:
    """Return both orders in a sentence each, beginning at the same emotion."""
    found = result.circle
    angle = dict(zip(found.names, found.reference, strict=True))
    russells = sorted((name for name in found.names if np.isfinite(angle[name])), key=angle.__getitem__)
    around = list(found.polar.order)
    if russells:
        first = around.index(russells[0])
        around = around[first:] + around[:first]
    said = " → ".join(
        widgets.plain(name) if np.isfinite(angle[name]) else f"({widgets.plain(name)})" for name in around
    )
    nowhere = " In brackets: no place on Russell's circle." if len(russells) < len(around) else ""
    return [
        f"**Order found,** counter-clockwise: {said}.{nowhere}",
        f"**Russell's order:** {' → '.join(russells) or 'none of these emotions has a place on his circle'}.",
    ]


def _agreement(result: Order, dimensions: int) -> str:
    found = result.circle
    n = int(np.isfinite(found.reference).sum())
    if found.correlation is None:
        return f"{n} of these emotions have a place on Russell's circle: comparing angles needs three or more."
    angles = f"**{number(found.correlation)}**{interval(found.correlation_95)}"
    triples = f"**{number(found.order_agreement)}**{interval(found.order_agreement_95)}"
    lines = [
        f"**How well they agree** ({n} emotions; 1 perfect, 0 none; in brackets 95 %)",
        f"- Angles go together (circular correlation): {angles}",
        f"- Threes run the same way round (order agreement): {triples}",
    ]
    if result.plane and result.full:
        lines.append(
            "- Neighbours are closer (Hubert-Arabie test, correspondence index):\n"
            f"    - on the map {_test(result.plane)}\n    - in all {dimensions:,} dimensions {_test(result.full)}"
        )
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _test(test: OrderTest) -> str:
    return f"**{number(test.index)}**, p = {test.p:.{3 if test.p < 0.1 else 2}f}"


def _caution(result: Order) -> str:
    if not result.plane:
        return "The test of the order needs four to nine emotions that have a place on Russell's circle."
    n, orders = int(np.isfinite(result.circle.reference).sum()), result.plane.n_orders
    least = f"With {n} emotions there are {orders:,} circular orders, so p cannot be below {1 / orders:.2g}."
    return (
        f"{least} Of {result.plane.n_predictions} predictions {result.plane.met} are met on the map, "
        f"{result.full.met if result.full else 0} in all dimensions. Turning the map changes none of these numbers, "
        "mirroring it the sign of the first two; a fitted turn may mirror, anew for every draw of speakers, so that "
        "sign says little."
    )


def _difference(word: Word) -> float:
    return (word.angle - word.published + 180) % 360 - 180


def _disagreement(found: Sequence[Word]) -> str:
    """Say which words disagree with the paper."""
    away = [abs(_difference(word)) for word in found]
    off = [word for word, gap in zip(found, away, strict=True) if gap > DISAGREES_FROM]
    told = "; ".join(f"**{one.word}** ({one.angle:.1f}° from its counts, {one.published:.1f}° printed)" for one in off)
    rest = max(gap for gap in away if gap <= DISAGREES_FROM)
    exact = sum(gap <= 0.1 for gap in away)
    return (
        f"Recomputed from the paper's own counts, {exact} of {len(found)} angles are the printed ones to 0.1° and the "
        f"others within {rest:.0f}°. One row disagrees: {told}; this page uses the counts."
    )
