"""What the Transfer and Attribution pages ask for: from which corpus is learnt, on which it is tried, and how."""

from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from dashboard import data, frame, links, progress, transfer_data, widgets
from ser_core import transferring
from ser_core.models.plane import Method
from ser_core.plots.transfer import METHODS
from ser_core.store import VectorStore
from ser_core.transfer import FOUR, TRIADS, UNSEEN, Adaptation, Question, Transfer

FOLDS: Final = {"unseen": "unseen speakers", "shared": "the same speakers, as P4"}
ADAPTED: Final[dict[Adaptation, str]] = {
    "none": "as it is",
    "standardise": "by its own mean and spread",
    "coral": "CORAL",
}
ADAPT_HELP: Final = (
    "How another corpus is brought nearer to the one that was learnt from. As it is: its values are standardised by "
    "the training part. By its own mean and spread: each value is standardised over the corpus itself. CORAL: beyond "
    "that, the values are made to go together as in the training part. None looks at a label; the last two look at "
    "all its clips."
)
FEW: Final = """
Nothing to show yet: a transfer needs a corpus with embeddings to learn from, and another one to try it on.

- **Just looking?** Run `make demo` in a terminal: it makes synthetic corpora in three languages and embeds them.
- **Your own?** Add the folders and embed them with the same encoder on the Data page (`egemaps` is quick).
"""


@dataclass(frozen=True)
class Choice:
    """The corpora, their encoder, and what is asked."""

    corpus: str
    onto: tuple[str, ...]
    store: VectorStore
    question: Question

    @property
    def names(self) -> tuple[str, ...]:
        """All corpora, that which is learnt from first."""
        return self.corpus, *self.onto


def choose() -> Choice | None:
    """Choose in the sidebar; None, and a word on what to do, where there is nothing to choose from."""
    located = [one for one in data.corpora() if any(part.n_embedded for part in data.coverage(one.name))]
    if not located:
        st.markdown(FEW)
        st.page_link(frame.VIEWS / "data.py", label="Open the Data page")
        return None
    with st.sidebar:
        names = [one.name for one in located]
        titles = {one.name: one.name + (" (synthetic)" if one.corpus.synthetic else "") for one in located}
        most = max(names, key=lambda name: max(one.n_embedded for one in data.coverage(name)))
        corpus = widgets.select("learnt_on", "Learn from", names, default=most, show=titles.__getitem__)
        chosen = widgets.encoder((corpus,), usual="egemaps")
        if chosen is None:
            return None
        rest = transfer_data.others(corpus, chosen.store)
        onto = widgets.several("tried_on", "Try it on", rest) if rest else ()
        known = transfer_data.emotions(corpus, chosen.store)
        usual = [name for name in FOUR if name in known]
        four = {"usual": usual, "said": f"P4's {len(usual)}"} if len(usual) > 1 else {}
        picked = widgets.several("four", "Emotions", known, **four)
        layer = widgets.layer(data.embedded((corpus,), chosen.store))
        folds = widgets.select("folds", "Validation on", list(FOLDS), default="unseen", show=FOLDS.__getitem__)
    order = [name for name in FOUR if name in picked] + [name for name in picked if name not in FOUR]
    able = tuple(name for name in onto if set(order) & set(transfer_data.emotions(name, chosen.store)))
    if left := [name for name in onto if name not in able]:
        links.note(f"Left out, for no clip of {', '.join(order)} is known there: {', '.join(left)}.")
    return Choice(corpus, able, chosen.store, Question(tuple(order), layer, folds == "shared"))


def computed(choice: Choice) -> Transfer | None:
    """Return the transfer; where it was not computed, offer that, or say why it cannot be."""
    found = transfer_data.found(choice.corpus, choice.onto, choice.store, choice.question)
    if found is None:
        offer(choice, triads=False)
    return found


def offer(choice: Choice, *, triads: bool) -> None:
    """Offer to compute what is missing; or say why it cannot be."""
    asked = [replace(choice.question, emotions=three) for three in TRIADS.values()] if triads else [choice.question]
    reasons = [transfer_data.refusal(choice.corpus, choice.onto, choice.store, one) for one in asked]
    if why := next((one for one in reasons if one), None):
        st.info(widgets.plain(why))
        return
    what = "three emotions at a time" if triads else "ten folds or fewer"
    names = widgets.plain(", ".join(choice.onto) or "itself alone")
    d = int(choice.store.recipe["dim"])
    seconds = round(transfer_data.SECONDS * (5 if triads else 1) * max(1, d / 400))
    progress.offer(
        transferring.arguments(choice.corpus, choice.onto, choice.store.key, question=choice.question, triads=triads),
        going="It is being computed; you can go on elsewhere meanwhile.",
        wanted=f"What is learnt from {widgets.plain(choice.corpus)}, tried on {names}, was not computed yet ({what}).",
        label=f"Compute it (about {seconds} s for 600 clips, in the background)",
        start=lambda: transfer_data.start(choice.corpus, choice.onto, choice.store, choice.question, triads=triads),
    )


def method(*, planes: bool) -> Method:
    """Choose by what method; ``planes``: of those with two numbers."""
    names = list(METHODS)[: 3 if planes else 4]
    words = {name: METHODS[name][0] for name in names}
    return widgets.select("numbers", "By", names, default="dae", show=words.__getitem__)


def adaptation() -> Adaptation:
    """Choose how other corpora are brought nearer."""
    return widgets.select(
        "adapted", "Other corpora are standardised", list(ADAPTED), default="standardise", show=ADAPTED.__getitem__,
        help=ADAPT_HELP,
    )  # fmt: skip


def place(found: Transfer, *, default: str = UNSEEN) -> str:
    """Choose where: the validation part, or another corpus."""
    names = {UNSEEN: f"{found.own.name}, validation part"} | {one.name: one.name for one in found.others}
    return widgets.select("place", "Clips of", list(names), default=default, show=names.__getitem__)


def independence(found: Transfer) -> str:
    """Return in words whether the speakers of the validation part are new."""
    if found.speaker_independent:
        return f"{found.n_folds} folds, speakers of the validation part unseen"
    what = "speakers" if found.folds["shared"].map(len).any() else "some recordings"
    return f"{found.n_folds} folds, **{what} are on both sides** of them: too good for new speakers"


def sources(choice: Choice, found: Transfer | None) -> None:
    """Say what was learnt from, if it was, and where the clips come from."""
    if found is not None:
        st.caption(
            f"Learnt from {len(found.own.clips):,} clips of {widgets.plain(found.own.name)}: "
            f"{', '.join(choice.question.emotions)}; {independence(found)}; encoder {widgets.plain(found.encoder)}."
        )
    located = [one for one in data.corpora() if one.name in choice.names]
    cited = "; ".join(f"{one.name}: {one.corpus.citation} ({one.corpus.licence})" for one in located)
    st.caption(widgets.plain(f"Source: {cited}."))
    if choice.onto:
        widgets.matched(data.embedded(choice.names, choice.store).clips)
