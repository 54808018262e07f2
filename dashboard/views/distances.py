"""How far apart are the emotions, and which clips do not fit theirs? Distances in units of the clouds' own spread."""

from dataclasses import replace

import streamlit as st

from dashboard import affect_data, clip_panel, distances_panel, frame, links, outlier_panel, widgets
from ser_core.analyses import Question
from ser_core.maps import View

SEEN = (
    "Each square says how far apart two emotions lie (Mahalanobis distance): how many times the spread of the clips "
    "around their emotion, in that direction, separates the two means."
)
SPACES = {"full": "all dimensions", "map": "this map"}
SPREADS = {"pooled": "pooled: one for all", "per-emotion": "per emotion: each its own"}
SORTINGS = {"circle": "Russell's circle", "clustering": "alike together"}
REFERENCES = """
- Distance between two emotions: the length of the difference of their means, measured with a covariance Σ:
  √((m₁ - m₂)ᵀ Σ⁻¹ (m₁ - m₂)). It counts correlated values once, and does not depend on their units. Mahalanobis 1936,
  *Proc. National Institute of Sciences of India* 2: 49-55. Pooled: Σ is one covariance, of all clips around the mean of
  their emotion. Per emotion: the mean of the two emotions' covariances; a clip is measured with the emotion's own.
- Shrinkage replaces Σ by (1 - s) Σ + s (tr Σ / d) I, with s from 0 (none) to 1 (a ball) chosen from the data. Ledoit &
  Wolf 2004, *J. Multivariate Analysis* 88: 365-411. Without it a covariance wants at least the square of its d
  dimensions in clips, and has no inverse below d.
- How rare: were the clips of an emotion Gaussian, their squared distances would follow a chi-square distribution with d
  degrees of freedom. De Maesschalck, Jouan-Rimbaud & Massart 2000, *Chemometrics and Intelligent Laboratory Systems*
  50: 1-18. They are not, so take it as an order of clips, not as a probability.
- Each clip takes part in the mean and the covariance that it is measured with, which makes it look nearer to its own
  emotion than a new clip would be, the more so the fewer clips there are.
- Distances grow with the number of dimensions, and change with shrinkage: compare within one setting only.
- 95 % intervals: whole speakers are drawn with replacement, 1,000 times, to see how far the means move; the covariance
  stays that of all clips, as if it were known. Means of few clips are noisy, and noise makes a distance larger, in many
  dimensions by much. So true distances are tried one after another: the interval holds those which, with the moves of
  the draws added, would come out above what was measured in at least 2.5 % of draws and below it in as many (inversion
  of a bootstrap test: Davison & Hinkley 1997, *Bootstrap Methods and their Application*, section 5.5). "Less noise" is
  the distance without what the noise adds on average. A distance can lie above its interval: noise has raised it.
- "Russell's circle" writes the emotions in the order of their angles in Russell 1980, *J. Personality and Social
  Psychology* 39: 1161-1178. "Alike together" is the leaf order of an average-linkage tree of the distances, with
  the shortest way from leaf to leaf (Bar-Joseph, Gifford & Jaakkola 2001, *Bioinformatics* 17: S22-S29).
"""


def main() -> None:
    """Draw the page."""
    choice = frame.choose()
    if choice is None:
        return
    with st.sidebar:
        view = widgets.view(choice.found)
        question, sorting = ask(view)
    frame.introduce(SEEN, trust(question, choice.found.recipe["dim"]))
    if question.space == "map" and frame.wanted_map(choice, view) is None:
        return
    measured = affect_data.distances(choice.names, choice.store, question)
    pair = distances_panel.pair_in_hand(measured.distances.names)
    clip_panel.check_link(choice.found)
    frame.cautions(choice.names, choice.store)
    frame.notes()
    distances_panel.warn(measured.distances, question)
    distances_panel.between_emotions(choice, measured, question, sorting=sorting, pair=pair)
    outlier_panel.show(choice, measured, question)
    facts = [*frame.view_facts(choice, view), SPACES[question.space], SPREADS[question.covariance], "common names"]
    frame.sources(choice, *facts, rows=measured.rows)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


def ask(view: View) -> tuple[Question, str]:
    """Choose what to measure in and how, and the order of the emotions."""
    space = widgets.segments("space", "Measured in", list(SPACES), default="full", show=SPACES.__getitem__)
    covariance = widgets.select(
        "covariance", "Spread of the clouds", list(SPREADS), default="pooled", show=SPREADS.__getitem__,
        help="The covariance that distances are measured with: one of all clips around their emotion's mean, or each "
        "emotion's own, which needs more clips.",
    )  # fmt: skip
    shrink = widgets.segments("shrink", "Shrinkage (Ledoit-Wolf)", ["on", "off"], default="on", show=str)
    sorting = widgets.segments(
        "sorting", "Order of the emotions", list(SORTINGS), default="circle", show=SORTINGS.__getitem__
    )
    if space == "full":  # how the map is drawn does not matter then
        view = replace(view, method="pca", n_components=2)
    return Question(view, space, covariance, shrink == "on"), sorting


def trust(question: Question, n_dimensions: int) -> str:
    """Say when not to trust the distances."""
    if question.space == "full":
        return (
            f"Distances grow with the number of dimensions (here {n_dimensions:,}): compare them with each other, not "
            "with those of another encoder or of a map."
        )
    if question.view.method == "umap":
        return (
            "Do not take them as facts here: distances between groups mean little in UMAP. Measure in all dimensions."
        )
    n = question.view.n_components
    return (
        f"Here they are those in the {n} dimensions of the map, which shows only part of the variance: emotions that "
        "overlap on it may be apart in the rest."
    )


frame.page("How far apart (Mahalanobis)", main)
