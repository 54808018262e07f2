"""Do the emotions lie in a circle, in Russell's order? Where would he put each clip? See the order, and his plane."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard import affect_data, circumplex_panel, clip_panel, frame, links, plane_panel, widgets
from ser_core.circle import Planes

PARTS = {"order": "Emotions in a circle", "plane": "On Russell's plane", "words": "Russell's 28 words"}
LEARNT = {
    "regression": "Ridge regression of valence and arousal on the clip's values.",
    "procrustes": "The emotions' middles turned, and stretched alike, onto Russell's places (Procrustes).",
}
ORDER_SEEN = (
    "Inside, the middle of each emotion's clips, seen from the middle of all clips; a dotted line leads to the "
    "emotion's place on Russell's circle of feelings."
)
ORDER_TRUST = (
    "Do not take it for proof of a circle: the map's first two axes follow whatever varies most, often voice and "
    "loudness, and the turn is fitted with the labels, so some of the agreement comes from the fit itself."
)
UMAP = "In UMAP directions between groups mean little besides: use PCA here."
PLANE_SEEN = (
    "Each point is a clip, put on Russell's plane by a rule learnt from labelled clips: pleasant to the right, "
    "activated upwards; the large points are the middles of the emotions."
)
PLANE_TRUST = (
    "Do not read a place as what somebody felt: it is a guess from sound, no better than the agreement under each "
    "picture, which counts only clips that the rule had not seen."
)
WORDS_SEEN = (
    "36 people sorted 28 words for feelings into eight categories that lie around a circle; each word stands at the "
    "mean direction of its counts, the larger the more they agreed (Russell 1980)."
)
WORDS_TRUST = "Do not carry it over unasked: English words, one group of people, in one decade; other languages differ."
REFERENCES = """
- **Circle of affect (circumplex):** J. A. Russell 1980, *J. Personality and Social Psychology* 39: 1161-1178. Angles
  run counter-clockwise from pleasure; valence is how pleasant, arousal how activated.
- **Places:** happiness stands at Russell's *happy*, surprise at *astonished*, anger at *angry*, fear at *afraid*,
  sadness at *sad*, boredom at *bored*, calm at *calm*. Disgust is not among his words: it is put between *afraid* and
  *sad*, as in the internship report that this page follows (R. da Silva, section 3.4.4). Neutral has no direction.
- **Turn:** the emotions are turned, and mirrored if that fits better, onto Russell's places (orthogonal Procrustes,
  Schönemann 1966, *Psychometrika* 31). Turning changes none of the numbers, mirroring the sign of the first two.
- **Angles go together (circular correlation):** Fisher & Lee 1983, *Biometrika* 70: 327-332. **Same way round (order
  agreement):** of every three emotions, Fisher & Lee 1982, *Biometrika* 69: 315-321. Both from -1 to 1.
- **Neighbours are closer (randomisation test of circular order):** Hubert & Arabie 1987, *Psychological Bulletin* 102:
  172-178; for circles Rounds, Tracey & Hubert 1992, *J. Vocational Behavior* 40: 239-259, and Tracey 1997,
  *Educational and Psychological Measurement* 57: 164-168. The correspondence index is the share of predictions met
  less those violated; p is the share of all circular orders that meet as many.
- **Agreement of places (CCC):** Lin 1989, *Biometrics* 45: 1 is perfect, 0 none; a shift or a wrong scale counts
  against it. **R²** is the share of variance predicted; below 0 the mean would have been the better guess.
- **95 %:** speakers are drawn anew, 1,000 times; with few speakers the intervals are too narrow.
"""


def main() -> None:
    """Draw the page."""
    part = widgets.segments("part", "Look at", list(PARTS), default="order", show=PARTS.__getitem__)
    if part == "words":
        st.sidebar.caption("This part needs no corpus: the counts are Russell's own.")
        frame.introduce(WORDS_SEEN, WORDS_TRUST)
        frame.notes()
        circumplex_panel.words()
    else:
        choice = frame.choose()
        if choice is None or not {"order": order, "plane": plane}[part](choice):
            return
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


def order(choice: frame.Choice) -> bool:
    """Show the emotions in a circle; say whether there was something to show."""
    with st.sidebar:
        view = widgets.view(choice.found, dims=(2,))
    frame.introduce(ORDER_SEEN, f"{ORDER_TRUST} {UMAP if view.method == 'umap' else ''}")
    if frame.wanted_map(choice, view) is None:
        return False
    fitted = affect_data.order(choice.names, choice.store, view, None)
    with st.sidebar:
        alignment = circumplex_panel.turn(fitted.circle.alignment)
    result = fitted if alignment is None else affect_data.order(choice.names, choice.store, view, alignment)
    frame.cautions(choice.names, choice.store)
    frame.notes()
    circumplex_panel.order(result, dimensions=choice.found.vectors.shape[2])
    facts = (*frame.view_facts(choice, view), "no split: all clips", "emotions under common names")
    frame.sources(choice, *facts, rows=result.rows)
    return True


def plane(choice: frame.Choice) -> bool:
    """Show clips on Russell's plane; say whether there was something to show."""
    with st.sidebar:
        layer = widgets.layer(choice.found)
        scaling = widgets.scaling(choice.found)
        method = widgets.segments(
            "learn", "How to learn it", list(widgets.LEARN), default="regression", show=widgets.LEARN.__getitem__
        )
        st.caption(LEARNT[method])
    frame.introduce(PLANE_SEEN, PLANE_TRUST)
    clip_panel.check_link(choice.found)
    frame.cautions(choice.names, choice.store)
    how: dict[str, Any] = {"layer": layer, "scaling": scaling, "method": method}
    found = affect_data.planes(choice.names, choice.store, **how)
    if found is None:
        frame.notes()
        plane_panel.offer(choice, **how)
        links.publish()
        return False
    teacher = _teacher(choice, found)
    frame.notes()
    plane_panel.refusals(found)
    numbers = affect_data.plane_numbers(choice.names, choice.store, **how)
    seen = plane_panel.seen(choice, found, numbers, teacher=teacher)
    plane_panel.show(choice, seen, numbers)
    facts = f"layer {choice.found.layers[layer]}", widgets.SCALINGS[scaling], f"plane by {widgets.LEARN[method]}"
    split = "speakers left out one by one", "emotions under common names"
    rows = np.concatenate([one.rows for one in seen.values()])
    frame.sources(choice, *facts, *split, rows=rows, lacking="emotion or speaker")
    return True


def _teacher(choice: frame.Choice, found: Planes) -> str:
    """Choose the corpus that the plane shown is learnt from."""
    can = [name for name in choice.names if any(plane.source == name for plane in found.parts)]
    with st.sidebar:
        return widgets.select("teacher", "Learnt from", can, default=can[0])


frame.page("Circle of emotions", main)
