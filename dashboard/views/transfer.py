"""Does what is learnt from one corpus hold for others? Two numbers per clip, and emotions told from them (P4)."""

from typing import Final

import streamlit as st

from dashboard import frame, links, transfer_choice, transfer_planes, transfer_scores, widgets

SEEN: Final = (
    "Emotions are learnt from the clips of one corpus and told in others: from all values of a clip, or from two "
    "numbers that an autoencoder makes of them."
)
TRUST: Final = (
    "Do not take a low score for a bad recogniser: corpora differ in language, microphone and acting, and what is told "
    "in one room need not be in another."
)
PARTS: Final = {
    "well": "How well",
    "triads": "Three at a time",
    "planes": "Where clips lie",
    "follows": "What the numbers follow",
    "all": "All corpora",
}
REFERENCES: Final = """
- After Das, Lønfeldt, Pagsberg & Clemmensen (2022), *Towards interpretable and transferable speech emotion
  recognition* (P4). They learnt from IEMOCAP and tried SAVEE, EmoDB and CaFE; here it is any corpus and any encoder.
- **Undercomplete autoencoder:** the values of a clip are squeezed through two numbers and drawn again, by a network of
  one layer of 64 on either side, trained for 50 epochs (mean squared error, Adam at 0.001, batches of 64).
  **Denoising:** the same, with noise of one standard deviation added to what it is given. **Plane of PCA:** the two
  directions of the most variance. **All values:** nothing is squeezed. P4 does not say how large the layers are.
- On each a linear support vector machine (C = 1, every emotion weighs alike), fitted to the training part of the fold.
- **Ten folds:** a tenth of the speakers is left out in turn (fewer folds where there are fewer speakers). *As P4*: a
  tenth of the clips at random, so that each speaker is on both sides.
- **Outliers:** clips with a value more than ten standard deviations from the mean are left out, as in P4, and counted.
- **UAR:** unweighted average recall, the mean over the emotions of the share of clips recognised. Interval over folds:
  Student's t; it is rather too short, since folds share clips (Nadeau & Bengio 2003, *Machine Learning* 52: 239-281).
  Interval over speakers: whole speakers are drawn again, 1,000 times (Davison & Hinkley 1997, section 3.8).
- **CORAL:** Sun, Feng & Saenko 2016, *AAAI*: covariances are made alike, with 1 added to each variance. They move what
  is learnt from; here the other corpus is moved, so that one network serves all.
- **Turn:** orthogonal Procrustes of the centres of the emotions (Schönemann 1966, *Psychometrika* 31: 1-10).
- **Arousal:** rated where a corpus has ratings, else the place of the label on Russell's circle (1980).
"""


def main() -> None:
    """Draw the page."""
    frame.introduce(SEEN, TRUST)
    choice = transfer_choice.choose()
    if choice is None:
        return
    part = widgets.segments("transfer", "Show", list(PARTS), default="well", show=PARTS.__getitem__)
    above, found = st.container(), None
    frame.cautions(choice.names, choice.store)
    if part == "triads":
        transfer_scores.triads(choice)
    elif part == "all":
        transfer_scores.everywhere(choice)
    elif (found := transfer_choice.computed(choice)) is not None:
        known = {one.name: n for one in found.others if (n := found.n_known(one.name))}
        for name, n in known.items():
            st.warning(
                f"{n:,} clips of {widgets.plain(name)} are recordings that were learnt from: too good for new ones."
            )
        if part == "well":
            transfer_scores.show(found)
        elif part == "planes":
            transfer_planes.show(found)
            transfer_planes.elsewhere(found, n_layers=len(choice.store.recipe["layers"]))
        else:
            transfer_planes.follows(found)
    with above:
        frame.notes()
    transfer_choice.sources(choice, found)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


frame.page("From one corpus to others (transfer)", main)
