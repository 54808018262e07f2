"""How did one person's voice move over the plane of feelings, day by day? A heat map, and the clips behind it."""

import streamlit as st

from dashboard import affect_data, clip_panel, data, frame, links, timeline_choice, timeline_panel, widgets
from ser_core import timeline

SEEN = (
    "One person's clips on the plane of feelings: pleasant to the right, activated upwards, and how the cloud moves "
    "from day to day."
)
TRUST = (
    "Do not trust a single day: it has few clips, each placed by the sound of the voice alone, and a small move may be "
    "chance; look at the intervals."
)
EMPTY = """
Nothing to show yet: a timeline needs dated recordings of one person, and their embeddings.

- **Just looking?** Run `make demo` in a terminal: it makes a synthetic two-week diary, and the corpora to learn from.
- **Your own recordings?** Put them into one folder with a `metadata.csv` that has a column `recorded_at`
  (`2026-03-01T08:15`) beside `file_name` and `speaker`; or name the files by date and time, `2026-03-01T08-15.wav`.
  Then add the folder and embed it on the Data page.
"""
NOT_EMBEDDED = "Dated clips are here ({}), but none is embedded yet: embed them on the Data page."
NO_TEACHER = """
Nobody has taught this encoder what sounds pleasant or activated: that takes a corpus with labelled emotions of two or
more speakers, or with ratings of valence and arousal, embedded with the same encoder as the recordings chosen on the
left. Embed one on the Data page, or in a terminal: `ser embed CORPUS ENCODER`.
"""
REFERENCES = """
- **Plane of affect (circumplex):** how pleasant (valence) and how activated (arousal), each from about -1 to 1. The
  words stand where people put them; the circle goes through them. J. A. Russell 1980, *J. Personality and Social
  Psychology* 39: 1161-1178. A clip may be placed outside the circle: what is learnt knows no edge.
- **Heat map of one person over two weeks:** after Figure 6 of the internship report that this page follows (R. da
  Silva), where the places came from questions; here they come from the voice.
- **Density:** every clip counts as a round hill (Gaussian kernel) of one and the same width, whatever their number, so
  that a day with few clips does not look like another mood. Scott 1992, *Multivariate Density Estimation*.
- **Intensity and dispersion** take clips for independent; percentile bootstrap over the clips of a day or week. The
  dispersion of few clips comes out too small, by a factor of about √(1 - 1/n).
- **Quarters:** pleasant and activated is the upper right one. Intervals of shares: Wilson 1927, *J. American
  Statistical Association* 22: 209-212.
- **Agreement of places (CCC):** Lin 1989, *Biometrics* 45: 255-268; 95 % intervals resample speakers.
- Days are days by the clock of the place of recording; weeks start on Monday. Days without clips are gaps.
"""


def main() -> None:
    """Draw the page."""
    located = data.corpora()
    dated = timeline_choice.diaries(located)
    names = [one.name for one in dated if any(part.n_embedded for part in data.coverage(one.name))]
    if not names:
        st.markdown(EMPTY)
        if dated:
            st.info(NOT_EMBEDDED.format(widgets.plain(", ".join(one.name for one in dated))))
        st.page_link(frame.VIEWS / "data.py", label="Open the Data page")
        return
    with st.sidebar:
        choice = timeline_choice.choose(located, names)
    frame.introduce(SEEN, TRUST)
    st.info(timeline.STATEMENT)
    if choice is None:
        frame.notes()
        st.markdown(NO_TEACHER)
        st.page_link(frame.VIEWS / "data.py", label="Open the Data page")
        return
    show(choice)
    links.publish()


def show(choice: timeline_choice.Choice) -> None:
    """Draw what was chosen, or offer to learn what it takes."""
    frame.cautions(tuple(dict.fromkeys((choice.diary.name, choice.learner.name))), choice.store)
    clip_panel.check_link(choice.found)
    diary = affect_data.diary(
        choice.diary.name, choice.learner.name, choice.store,
        **choice.how(), person=choice.person, period=choice.period,
    )  # fmt: skip
    if diary is None:
        frame.notes()
        timeline_choice.offer(choice)
        return
    timeline_panel.settle(diary)
    frame.notes()
    timeline_panel.picture(choice, diary)
    timeline_panel.curves(diary)
    timeline_panel.numbers(diary)
    timeline_panel.sources(choice, diary)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)


frame.page("Timeline", main)
