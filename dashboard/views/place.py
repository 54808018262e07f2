"""Where does this clip lie among clips that are known? Upload or record one, see it land, hear what is near to it."""

from contextlib import suppress
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import (
    clip_panel,
    compare_panel,
    emotions_panel,
    frame,
    keep_panel,
    landing_panel,
    links,
    nearest_panel,
    path_panel,
    place_data,
    progress,
    recognisers_panel,
    unusual_panel,
    upload_panel,
    uploads,
    widgets,
)
from dashboard.place_data import Look, Prepared
from ser_core.errors import SerError
from ser_core.maps import View

SEEN: Final = "A clip of yours among the clips of a corpus: where it lands, what it is near to, how unusual it is."
TRUST: Final = (
    "Do not take it for what somebody felt: every answer is a comparison with this corpus alone, its speakers, its "
    "words for emotions and its microphones; beside each stands how often it is right for voices not heard before."
)
PARTS: Final = {"lands": "Where it lands", "time": "Over time", "two": "Compare two"}
REFERENCES: Final = """
- **Landing:** a PCA map is a fixed turning of the values, so a new clip has an exact place on it. A UMAP map has no
  such rule: the clip is put between its nearest clips, weighted as UMAP weighs neighbours (McInnes, Healy & Melville
  2018, arXiv:1802.03426, smooth nearest-neighbour distances).
  How far off that is was measured on clips of the corpus, each put there by clips of other speakers alone.
- **Distance from an emotion (Mahalanobis 1936):** from the mean of its clips, in all dimensions of the embedding, in
  units of the spread within emotions (pooled covariance, shrunk after Ledoit & Wolf 2004, *J. Multivariate Analysis*
  88: 365-411). Standardised values beyond 10 count as 10 here, other than on the page Distances, so that the two pages'
  numbers differ a little: a few broken values would else make every clip look ordinary.
- **How rare:** the share of an emotion's clips so far out if clips were Gaussian (chi-square with as many degrees of
  freedom as dimensions), which they are not: compare emotions by it, do not take it at its word.
- **Unlike everything here (out of distribution):** further from every emotion than 99 % of the corpus's own clips are,
  each measured with its own speaker left out. One in a hundred of the corpus's own clips is called so, too.
- **Of the ten nearest:** how many of the ten nearest clips (Euclidean, scaled values) are of the emotion; the emotion
  that most have is the answer, of those that tie the one with the nearest clip.
- **Probability:** of a support vector machine that learnt from all these clips, calibrated (Platt 1999) on speakers
  that it had not learnt from. It knows only these emotions, and gives them 100 % between them, whatever the clip is.
  The Brier score (Brier 1950) is the mean squared error over all emotions, 0 best, 2 worst; the expected calibration
  error (Guo et al. 2017) says by how much the highest probability differs from how often it is right.
- **Trained models:** those of the page Models that were trained on these corpora. Each is given what it was given in
  training, made of this clip, and scaled as then.
- **Right for speakers not heard before:** each speaker was left out of everything that was learnt, and their clips were
  then treated as yours is. UAR (unweighted average recall): the mean over emotions of the share recognised; accuracy:
  the share of all clips. A recording from another room, microphone or language is harder than that.
- **Valence, arousal and the ellipse:** "give or take" holds 95 % of the clips of speakers left out on that axis alone.
  The ellipse holds 95 % on both axes at once, and so reaches further (split conformal prediction: Lei et al. 2018,
  *JASA* 113: 1094-1111). It promises that for clips recorded like these.
- **What is unusual about the voice:** eGeMAPS (Eyben et al. 2016, *IEEE Trans. Affective Computing* 7: 190-202).
- **Plane:** J. A. Russell 1980, *J. Personality and Social Psychology* 39: 1161-1178; see the page Circle of emotions.
"""


def main() -> None:
    """Draw the page."""
    uploads.stay_in_memory()
    choice = frame.choose()
    if choice is None:
        return
    with st.sidebar:
        view = widgets.view(choice.found)
    upload = uploads.in_hand()
    with st.container():  # one element, whatever is in it: the map below then stays the same chart (`_one`)
        part = _top(choice, upload)
    if part == "two":
        _compare(choice, view)
    else:
        _one(choice, view, upload, part)
    if upload is not None:
        keep_panel.show(upload, choice)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


def _top(choice: frame.Choice, upload: uploads.Upload | None) -> str:
    """Say what this is, take clips, show those that are here, and return which part of the page is wanted."""
    frame.introduce(SEEN, TRUST)
    st.caption(upload_panel.PRIVACY)
    clip_panel.check_link(choice.found)
    frame.cautions(choice.names, choice.store)
    with st.container() if upload is None else st.expander("Add clips"):
        upload_panel.add()
    upload_panel.problems()
    if upload is not None:
        upload_panel.here(upload)
    part = widgets.segments("placing", "Show", list(PARTS), default="lands", show=PARTS.__getitem__)
    frame.notes()
    return part


def _one(choice: frame.Choice, view: View, upload: uploads.Upload | None, part: str) -> None:
    """Show one clip, or as much of it as there is; the map is there before it."""
    teacher = _teacher(choice)
    ready = look = None
    above = st.container()
    with above:
        try:
            ready = _prepared(choice, view, teacher)
            look = _look(choice, view, upload, ready) if ready and upload else None
        except SerError as error:
            st.error(widgets.plain(str(error)))
    if part == "lands" and ready is not None:
        _lands(choice, ready, upload, look, above=above)
    elif upload is None:
        upload_panel.teach(choice)
    elif look is None:
        landing_panel.alone(upload)
    else:
        path_panel.show(look)
    if ready is not None:
        if look is not None:
            _plane_later(look, ready, teacher)
        frame.sources(choice, *frame.view_facts(choice, view))


def _lands(
    choice: frame.Choice, ready: Prepared, upload: uploads.Upload | None, look: Look | None, *, above: DeltaGenerator
) -> None:
    """Show where a clip lands, what it is near to, and what is unusual about it."""
    with st.sidebar:
        column = widgets.colour(choice.found.clips)
    others: list[Look] = []
    if look is not None:
        with above:
            for sentence in emotions_panel.says(look):
                st.markdown(sentence)
            _check_later(look, ready)
            others = _others(look, ready)
    landing_panel.show(choice, ready, upload, look, others, column=column)
    if look is not None:
        emotions_panel.show(look)
        models = st.container()
        nearest_panel.show(look)
        unusual_panel.show(look)
        with models:  # last, since asking them may take seconds
            recognisers_panel.show(look)


def _compare(choice: frame.Choice, view: View) -> None:
    ready = _prepared(choice, view, _teacher(choice))
    if ready is not None:
        compare_panel.show(choice, view, ready, uploads.all_())


def _teacher(choice: frame.Choice) -> str | None:
    """Choose the corpus that valence and arousal are learnt from."""
    can = place_data.teachers(choice)
    if not can:
        return None
    with st.sidebar:
        return widgets.select(
            "teacher", "Valence and arousal from", can, default=can[0], help="The corpus that they are learnt from."
        )


def _prepared(choice: frame.Choice, view: View, teacher: str | None) -> Prepared | None:
    """Return what clips are placed among; None, and an offer to draw it, where the map is not drawn."""
    if frame.wanted_map(choice, view) is None:
        return None
    return place_data.prepared(choice, view, teacher)


def _look(choice: frame.Choice, view: View, upload: uploads.Upload, ready: Prepared) -> Look | None:
    """Return the clip in hand placed; None, and a bar, while that is computed."""
    vectors = uploads.vectors(upload, choice)
    if vectors is None:
        upload_panel.waiting(upload, choice)
        return None
    return place_data.look(choice, view, upload, vectors, ready)


def _others(look: Look, ready: Prepared) -> list[Look]:
    """Return the other clips of the session, as far as they could be placed yet; the rest comes in a while."""
    out = []
    for other in [one for one in uploads.all_() if one is not look.upload]:
        with suppress(SerError):  # it is told when the clip is taken in hand
            vectors = uploads.vectors(other, look.choice, first=False)
            if vectors is not None:
                out.append(place_data.look(look.choice, look.view, other, vectors, ready))
    upload_panel.follow(look.choice)
    return out


def _plane_later(look: Look, ready: Prepared, teacher: str | None) -> None:
    """Say why there is no plane, or offer to learn it where that takes too long for a page."""
    if teacher is None and look.atlas.emotions:  # without emotions, what cannot be told is said together
        for sentence in ready.no_plane:
            st.info(widgets.plain(f"{sentence}."))
    if "plane" in ready.later and teacher is not None:
        name = widgets.plain(teacher)
        progress.offer(
            place_data.plane_job(look.choice, look.view, teacher),
            going=f"Valence and arousal are being learnt from {name}; you can go on elsewhere meanwhile.",
            wanted=f"Valence and arousal have not been learnt from {name} yet: each speaker is left out in turn.",
            label="Learn valence and arousal (in the background)",
            start=lambda: place_data.start_plane(look.choice, look.view, teacher),
        )


def _check_later(look: Look, ready: Prepared) -> None:
    """Offer to check the answers on unseen speakers where that takes too long for a page."""
    if "unseen" not in ready.later:
        return
    found = look.choice.found
    clips = f"{len(found.clips):,} clips of {found.vectors.shape[2]:,} values"
    progress.offer(
        place_data.unseen_job(look.choice, look.view),
        going=f"The answers are being checked on {clips}; you can go on elsewhere meanwhile.",
        wanted=f"Probabilities, and how often these answers are right for speakers who were not heard before, have not "
        f"been computed yet: each speaker is left out in turn, of {clips}.",
        label="Check the answers (in the background)",
        start=lambda: place_data.start_unseen(look.choice, look.view),
    )


frame.page("Place a clip", main)
