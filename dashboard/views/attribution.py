"""What of a voice moves the two numbers: which measures raise or lower them, by emotion and in one clip (P4)."""

from typing import Final

import streamlit as st

from dashboard import attribution_panel, frame, links, transfer_choice, widgets

SEEN: Final = (
    "What each measure of a voice adds to the two numbers that an autoencoder makes of a clip, against the mean of "
    "neutral clips."
)
TRUST: Final = (
    "It tells how this network sums up a clip, not what makes a voice angry: another network may go by other measures."
)
PARTS: Final = {"features": "By emotion", "clip": "One clip", "check": "Do other ways agree?"}
REFERENCES: Final = """
- **DeepLIFT** (Shrikumar, Greenside & Kundaje 2017, *ICML*; by captum): what every one of the 88 measures adds to a
  number, compared with a reference clip. The shares add up to the difference between clip and reference; every page
  checks that, to 0.0001 of it.
- **Reference:** the mean of the neutral clips of the validation part that were told rightly, in each fold its own (P4).
- **Clips:** those told rightly (P4). A clip of the validation part is explained by the fold that has not learnt from
  it; a clip of another corpus by all folds in which it was told rightly, and the mean is taken. P4 shows one fold.
- **Numbers** are in standard deviations over the training part. The first is that which goes more with arousal there;
  both are turned to rise with arousal and with valence, so that folds can be put together.
- **Features:** the 88 measures added up by P4's Table 1 (20 rows).
- **Mark of an emotion:** a feature that moves a number by a tenth of a standard deviation or more on average, and whose
  95 % interval (whole speakers drawn again, 1,000 times) leaves out 0. *Only*: no other emotion has it in that
  direction.
- **Integrated gradients:** Sundararajan, Taly & Yan 2017, *ICML*. With one layer between the measures and the numbers
  they have to give what DeepLIFT gives. **Shapley values** by 25 random orders: Castro, Gómez & Tejada 2009, *Computers
  & Operations Research* 36: 1726-1730, the idea behind SHAP (Lundberg & Lee 2017, *NeurIPS*).
"""


def main() -> None:
    """Draw the page."""
    frame.introduce(SEEN, TRUST)
    choice = transfer_choice.choose()
    if choice is None:
        return
    part = widgets.segments("attribution", "Show", list(PARTS), default="features", show=PARTS.__getitem__)
    above = st.container()
    frame.cautions(choice.names, choice.store)
    if why := attribution_panel.refusal(choice):
        st.info(widgets.plain(why))
        found = None
    else:
        found = transfer_choice.computed(choice)
    if found is not None:
        attribution_panel.show(found, part)
    with above:
        frame.notes()
    transfer_choice.sources(choice, found)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


frame.page("What the features did (attribution)", main)
