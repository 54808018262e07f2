"""The choosers of the Timeline page: whose clips, by day or week, and from whom their places are learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboard import affect_data, data, progress, widgets
from ser_core import circle
from ser_core.catalogue import Located
from ser_core.embeddings import Embeddings
from ser_core.geometry.affect import Method
from ser_core.geometry.projection import Scaling
from ser_core.store import VectorStore
from ser_core.timeline import Period

PERIODS: Final = {"day": "day", "week": "week"}


@dataclass(frozen=True)
class Choice:
    """Whose clips the page looks at, and how they are placed; ``learner`` is the corpus learnt from."""

    diary: Located
    learner: Located
    store: VectorStore
    found: Embeddings
    person: str
    layer: int
    scaling: Scaling
    method: Method
    period: Period

    def how(self) -> dict[str, Any]:
        """Return what the plane is learnt with."""
        return {"layer": self.layer, "scaling": self.scaling, "method": self.method}


def diaries(located: Sequence[Located]) -> list[Located]:
    """Return the corpora with dated clips, the one with most dated days first."""
    dated = [one for one in located if affect_data.dated(one.name).people]
    return sorted(dated, key=lambda one: -affect_data.dated(one.name).n_days)


def teachers(diary: str, located: Sequence[Located]) -> list[str]:
    """Return the corpora that a plane for a diary can be learnt from, most embedded first, itself last."""
    counts = {}
    for one in located:
        if affect_data.dated(one.name).teaches:
            shared = widgets.common_coverage([data.coverage(diary), data.coverage(one.name)])
            keys = {part.store.key: part.n_embedded for part in data.coverage(one.name)}
            counts[one.name] = max((keys[key] for key in shared), default=0)
    known = [name for name, n in counts.items() if n]
    return sorted(known, key=lambda name: (name == diary, -counts[name]))


def choose(located: Sequence[Located], names: Sequence[str]) -> Choice | None:
    """Choose in the sidebar whose clips, by what and how they are placed; None where nothing can teach the plane."""
    by_name = {one.name: one for one in located}

    def titled(name: str) -> str:
        return name + (" (synthetic)" if by_name[name].corpus.synthetic else "")

    diary = widgets.select("diary", "Whose recordings", names, default=names[0], show=titled)
    people = affect_data.dated(diary).people
    person = widgets.select("person", "Person", people, default=people[0])
    period = widgets.segments("period", "Per", list(PERIODS), default="day", show=PERIODS.__getitem__)
    known = teachers(diary, located)
    if not known:
        return None
    learner = widgets.select(
        "learner", "Learnt from", known, default=known[0], show=titled,
        help="The corpus whose labelled clips teach what sounds pleasant and what activated.",
    )  # fmt: skip
    chosen = widgets.encoder(tuple(dict.fromkeys((diary, learner))))
    assert chosen is not None  # teachers share an encoder
    found = data.embedded((diary,), chosen.store)
    layer, scaling = widgets.layer(found), widgets.scaling(found)
    method = widgets.segments(
        "learn", "How to learn it", list(widgets.LEARN), default="regression", show=widgets.LEARN.__getitem__
    )
    return Choice(by_name[diary], by_name[learner], chosen.store, found, person, layer, scaling, method, period)


def offer(choice: Choice) -> None:
    """Say that the plane has to be learnt first, and offer to do so in the background."""
    names, said = (choice.learner.name,), widgets.plain(choice.learner.name)
    progress.offer(
        circle.job(names, choice.store.key, **choice.how()),
        going=f"The plane of {said} is being learnt; you can go on elsewhere meanwhile.",
        wanted=f"What valence and arousal sound like has not been learnt from {said} with this encoder yet.",
        label="Learn it (up to some minutes, in the background)",
        start=lambda: affect_data.start_planes(names, choice.store, **choice.how()),
    )
