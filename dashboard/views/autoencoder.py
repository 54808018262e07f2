"""What eight numbers hold of a voice: a variational autoencoder, its latent space seen, heard and steered (P3)."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from dashboard import (
    data,
    frame,
    links,
    vae_again,
    vae_carried,
    vae_data,
    vae_generator,
    vae_latents,
    vae_learning,
    vae_train,
    widgets,
)
from ser_core.runs import Run

SEEN: Final = (
    "A network that squeezes each clip into eight numbers (latents) and draws it again from them: hear what they keep, "
    "move them, and see which of them carries an emotion."
)
TRUST: Final = (
    "Do not take what it says for speech of a person, nor a latent for an emotion: no emotion was told to it, and what "
    "sounds angry may be loud, fast, or another speaker."
)
PARTS: Final = {
    "learning": "How it learnt",
    "again": "Drawn again",
    "latents": "Latents",
    "generator": "Generator",
    "carried": "What they carry",
    "train": "Train",
}
EMPTY: Final = """
No autoencoder is trained yet. A training takes the clips of one speaker, of all women or men, or of everybody, and
learns to draw them again from eight numbers.

- **Here:** choose *Train* above; one speaker's clips take about ten minutes on a processor.
- **In a terminal:** `ser train vae CORPUS --speakers 01`; it appears here.
- **From another machine:** copy its folder from `runs` in that cache into `runs` in this one.
"""
NO_CORPUS: Final = """
Nothing to show yet: a training needs a corpus. Run `make demo` in a terminal for synthetic ones, or add recordings on
the Data page.
"""
DRAW: Final[dict[str, Callable[[Run], None]]] = {
    "learning": vae_learning.show,
    "again": vae_again.show,
    "generator": vae_generator.show,
    "carried": vae_carried.show,
}
REFERENCES: Final = """
- **The picture of a clip:** at 16 kHz, the parts with voice (WebRTC's voice activity detector), 80 mel bands in dB,
  128 columns of 24 ms, filled up with silence. Back to sound: power of each frequency by non-negative least squares,
  phases by Griffin and Lim (1984). That alone makes a voice a little hollow: compare *Its picture as sound*.
- **Variational autoencoder** (Kingma & Welling 2013): an encoder gives each clip a mean μ and a standard deviation σ
  for each of 8 latents; a decoder draws a picture from numbers of that distribution. Trained to make small:
  reconstruction (half the squared differences) plus β times the **divergence** (Kullback-Leibler, of the clip's
  latents from the standard normal distribution). Both are in nats. β: Higgins et al. 2017, *ICLR*; warm-up: Bowman et
  al. 2016, *CoNLL*; a decoder that is told the speaker: Sohn, Lee & Yan 2015, *NIPS*.
- **η²:** the share of a latent's variance that lies between the emotions (Cohen 1988).
- **MIG,** mutual information gap (Chen et al. 2018, *NeurIPS*); **SAP,** attribute predictability (Kumar et al. 2018,
  *ICLR*); **DCI,** disentanglement, completeness, informativeness (Eastwood & Williams 2018, *ICLR*); **active**
  latents (Burda et al. 2016, *ICLR*). All over the clips of the corpus of which everything is known.
- **Emotion from the means:** support vector machine (radial kernel, C = 1), six groups of speakers tested in turn; the
  interval resamples speakers.
"""


def main() -> None:
    """Draw the page."""
    frame.introduce(SEEN, TRUST)
    runs = vae_data.finished()
    if not data.corpora() and not runs:
        st.markdown(NO_CORPUS)
        st.page_link(frame.VIEWS / "data.py", label="Open the Data page")
        return
    with st.sidebar:
        run = _run(runs)
    part = widgets.segments("vae", "Show", list(PARTS), default="learning" if runs else "train", show=PARTS.__getitem__)
    above = st.container()
    if part == "train":
        vae_train.show(runs)
    elif run is None:
        st.markdown(EMPTY)
    elif part == "latents":
        vae_latents.show(run, runs)
    else:
        DRAW[part](run)
    located = [one for one in data.corpora() if run is not None and one.name == run.corpus]
    with above:
        frame.notes()
        frame.synthetic(located)
    for one in located:
        st.caption(widgets.plain(f"Source: {one.name}: {one.corpus.citation} ({one.corpus.licence})."))
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


def _run(runs: list[Run]) -> Run | None:
    """Choose an autoencoder, at first the newest."""
    if not runs:
        return None
    titles = vae_data.titled(runs)
    chosen = widgets.select("autoencoder", "Autoencoder", list(titles), default=runs[0].id, show=titles.__getitem__)
    run = next(run for run in runs if run.id == chosen)
    st.caption(widgets.plain(run.title))
    st.caption(f"{run.recipe['n_taught']:,} of {run.recipe['n_clips']:,} clips trained on")
    return run


frame.page("A voice in eight numbers (autoencoder)", main)
