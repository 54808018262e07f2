"""How well are emotions recognised, and is it honest? The trained models: scores, mistakes, comparisons, training."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import streamlit as st

from dashboard import (
    data,
    frame,
    links,
    models_board,
    models_compare,
    models_premium,
    models_run,
    models_train,
    runs_data,
    widgets,
)
from ser_core.errors import SerError
from ser_core.runs import Run

SEEN: Final = "How well models that were trained here recognise the emotions of a corpus, on clips kept from them."
TRUST: Final = (
    "Do not take a score for how a model does on new voices unless it was tested on unseen speakers, and compare "
    "scores only where corpus and split are the same: actors who were told what to express are easier than people."
)
PARTS: Final = {
    "board": "Leaderboard",
    "run": "One run",
    "compare": "Compare two",
    "premium": "Leakage premium",
    "train": "Train",
}
EMPTY: Final = """
No model is trained on {corpus} yet. A training learns from some of its clips, keeps the others aside, and tells here
how well it recognises those.

- **Here:** choose *Train* above; a support vector machine on 500 clips takes some seconds.
- **In a terminal:** `ser train svm CORPUS --encoder egemaps`; the run appears here.
- **From another machine:** copy its folder from `runs` in that cache into `runs` in this one.
"""
NO_CORPUS: Final = """
Nothing to show yet: a training needs a corpus whose emotions and speakers are known. Run `make demo` in a terminal for
synthetic ones, or add recordings on the Data page.
"""
DRAW: Final[dict[str, Callable[[str, list[Run]], None]]] = {
    "board": models_board.show,
    "run": models_run.show,
    "compare": models_compare.show,
    "premium": models_premium.show,
    "train": models_train.show,
}
REFERENCES: Final = """
- **UAR** (unweighted average recall): the mean over emotions of the share of clips recognised, so that a frequent
  emotion counts no more than a rare one; guessing gives 1 / number of emotions. **Accuracy** (WA): the share of all
  clips. **Macro-F1**: the mean over emotions of the harmonic mean of precision and recall. All are taken over the test
  clips of all folds together.
- **95 % intervals** resample whole speakers with replacement, 1,000 times: they say how much another draw of such
  speakers would move the number, and nothing of other microphones, languages or feelings that were not acted.
- **Split.** *Clips at random*, as in many papers: the same speakers are in the training and in the test part, so a
  model may know the voice. *Unseen speakers*: all clips of a speaker are on one side. *One speaker at a time*: each is
  tested by a model that learnt from all others. The table *who was where* of a run shows it; a run is called
  speaker-independent only if no speaker and no recording is on both sides.
- **AUC:** the area under the ROC curve, the chance that a clip of an emotion gets a higher probability of it than a
  clip of another one; mean over emotions, each against the rest. 50 % is guessing. **Precision and recall:** of the
  clips taken for an emotion, how many are of it; of its clips, how many are found.
- **Calibration:** of clips that a model is 80 % sure of, 80 % should be right. **Expected calibration error** (Guo et
  al. 2017, *ICML*): the mean gap. **Brier score** (Brier 1950): the mean squared error of the probabilities, 0 to 2.
- **McNemar's test** (McNemar 1947, *Psychometrika* 12: 153-157), exact: of the clips that only one of two models gets
  right, is the share of each further from a half than chance would bring? It takes clips as independent, which those of
  one speaker are not quite: look at the interval of the difference as well.
- **Which values matter (permutation importance,** Breiman 2001, *Machine Learning* 45: 5-32**):** a group of values is
  shuffled among the test clips; what the UAR falls by is what the model had from them alone. Values that say the same
  stand in for each other, so that both groups may look useless.
- **Saliency (integrated gradients,** Sundararajan, Taly & Yan 2017, *ICML***):** which parts of the picture of a clip
  raised or lowered the network's score for an emotion, compared with an average picture. It tells what the network
  used, not what makes speech sound angry.
"""


def main() -> None:
    """Draw the page."""
    frame.introduce(SEEN, TRUST)
    finished = [run for run in runs_data.recognisers() if run.finished]
    corpus = _corpus(finished)
    if corpus is None:
        st.markdown(NO_CORPUS)
        st.page_link(frame.VIEWS / "data.py", label="Open the Data page")
        return
    here = [run for run in finished if run.corpus == corpus]
    part = widgets.segments("models", "Show", list(PARTS), default="board", show=PARTS.__getitem__)
    above = st.container()
    if here or part == "train":
        DRAW[part](corpus, here)
    else:
        st.markdown(EMPTY.format(corpus=widgets.plain(corpus)))
    located = [one for one in data.corpora() if one.name == corpus]
    with above:
        frame.notes()
        frame.synthetic(located)
    for one in located:
        st.caption(widgets.plain(f"Source: {corpus}: {one.corpus.citation} ({one.corpus.licence})."))
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)
    links.publish()


def _corpus(finished: list[Run]) -> str | None:
    """Choose the corpus, at first that of a link's run, the one with most runs or most speakers; None if there is none.

    A model learns from some speakers and is tested on others: a corpus with one voice is not where to begin.
    """
    counted = Counter(run.corpus for run in finished)
    others = sorted((one.name for one in data.corpora()), key=_speakers, reverse=True)
    names = list(dict.fromkeys([*(name for name, _ in counted.most_common()), *others]))
    if not names:
        return None
    asked = next((run.corpus for run in finished if run.id == st.session_state.get("run")), names[0])
    with st.sidebar:
        return widgets.select(
            "tested_on", "Corpus", names, default=asked,
            help="Scores on different corpora cannot be compared: they differ in emotions, speakers and recordings.",
        )  # fmt: skip


def _speakers(corpus: str) -> int:
    """Return how many speakers a corpus has; 0 if its folder is not there."""
    try:
        return data.clips_of(str(data.cache().root), corpus, data.stamp())["speaker"].nunique()
    except SerError:
        return 0


frame.page("Trained models", main)
