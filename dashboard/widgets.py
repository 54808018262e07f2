"""Choosers that several pages use; each shows a choice of the session (`dashboard.links`) and returns it."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import data, links
from ser_core import labels, maps
from ser_core.catalogue import Located
from ser_core.embeddings import Coverage, Embeddings
from ser_core.geometry.projection import Scaling
from ser_core.maps import View
from ser_core.plots.colours import EMOTION
from ser_core.runs import PREFIX

METHODS: Final = {"pca": "PCA", "umap": "UMAP"}
LEARN: Final = {"regression": "regression", "procrustes": "turning"}
"""Ways of learning valence and arousal."""
SCALINGS: Final = {"standard": "standardise", "centre": "centre only"}


def corpora(located: Sequence[Located]) -> tuple[str, ...]:
    """Choose one corpus or several; at first the one with most embedded clips."""
    names = [one.name for one in located]
    wanted = st.session_state.get("corpora")
    if wanted is not None:
        unknown = [name for name in wanted if name not in names]
        if unknown and links.from_link("corpora"):
            links.note(f"The link asks for a corpus that is not here: {', '.join(unknown)[: links.LONGEST]}.")
        wanted = [name for name in wanted if name in names]
    if not wanted:
        wanted = [max(names, key=lambda name: max((one.n_embedded for one in data.coverage(name)), default=0))]
    st.session_state["corpora"] = wanted
    titles = {one.name: one.name + (" (synthetic)" if one.corpus.synthetic else "") for one in located}
    st.session_state["_corpora"] = wanted
    st.multiselect("Corpora", names, key="_corpora", format_func=titles.__getitem__, on_change=_keep, args=("corpora",))
    return tuple(name for name in names if name in wanted)


def encoder(
    names: Sequence[str], *, usual: str = "", name: str = "encoder", label: str = "Encoder", beside: str = ""
) -> Coverage | None:
    """Choose an encoder that has embeddings of all the corpora; None if there is none. Counts are over all corpora.

    At first it is the one with most embeddings, or the ``usual`` one where it is there; if it can be, not the one whose
    store has the key ``beside``.
    """
    known = common_coverage([data.coverage(name) for name in names])
    if not known:
        return None
    keys = list(known)
    best = max(keys, key=lambda key: (key != beside, known[key].encoder == usual, known[key].n_embedded))
    titles = {one.name: one.title for one in data.encoders()}
    named_by = {key: one.encoder for key, one in known.items()}
    words = {key: titles.get(name, name) if name.startswith(PREFIX) else name for key, name in named_by.items()}
    named = pd.Series(list(words.values()))
    twice = set(named[named.duplicated()])

    def shown(key: str) -> str:
        return f"{words[key]} ({key[:6]})" if words[key] in twice else words[key]

    chosen = known[select(name, label, keys, default=best, show=shown)]
    if chosen.encoder in titles:
        st.caption(titles[chosen.encoder])
    count = f"{chosen.n_embedded:,} clips embedded"
    count += f", {chosen.n_pending:,} pending" if chosen.n_pending else ""
    count += f", {chosen.n_failed:,} failed" if chosen.n_failed else ""
    st.caption(count)
    return chosen


def common_coverage(parts: Sequence[Sequence[Coverage]]) -> dict[str, Coverage]:
    """Return, by store key, the encoders that all corpora have vectors of, their counts added up."""
    by_key = [{one.store.key: one for one in part if one.n_embedded} for part in parts]
    shared = [key for key in by_key[0] if all(key in part for part in by_key)] if by_key else []
    out = {}
    for key in shared:
        ones = [part[key] for part in by_key]
        done, failed, pending = (sum(getattr(one, name) for one in ones) for name in COUNTS)
        out[key] = Coverage(ones[0].store, ones[0].encoder, done, failed, pending)
    return out


COUNTS: Final = ("n_embedded", "n_failed", "n_pending")


def view(found: Embeddings, *, dims: Sequence[int] = (3, 2)) -> View:
    """Choose layer, projection, dimensions (where there is more than one way, and values enough) and scaling."""
    number = layer(found)
    dims = [n for n in dims if n <= found.vectors.shape[2]] or [found.vectors.shape[2]]
    method = segments("method", "Projection", ["pca", "umap"], default="pca", show=METHODS.__getitem__)
    n_components = dims[0]
    if len(dims) > 1:
        n_components = segments("dims", "Dimensions", dims, default=dims[0], show=lambda n: f"{n}-D")
    return View(number, method, n_components, scaling(found), maps.SEED)


def layer(found: Embeddings, *, name: str = "layer", label: str = "Layer", beside: int | None = None) -> int:
    """Choose one of the encoder's layers, at first the last, or the one before it where that is ``beside``."""
    numbers = list(range(len(found.layers)))
    usual = numbers[-2] if beside == numbers[-1] and len(numbers) > 1 else numbers[-1]
    value = links.settle(name, numbers, default=usual)
    if len(numbers) > 1:
        st.session_state[f"_{name}"] = value
        arguments: dict[str, Any] = {"key": f"_{name}", "on_change": _keep, "args": (name,)}
        st.select_slider(label, numbers, format_func=found.layers.__getitem__, **arguments)
    return value


def scaling(found: Embeddings) -> Scaling:
    """Choose how the values are scaled."""
    return select(
        "scaling",
        "Scaling of values",
        ["standard", "centre"],
        default=maps.default_scaling(found.recipe),
        show=SCALINGS.__getitem__,
        help="Standardise (z-score) gives every value the same spread: for features in units of their own. "
        "Centre only keeps the spread that a network gave its activations.",
    )


def colour(clips: pd.DataFrame) -> str:
    """Choose the column that colours the points."""
    usable = [name for name in clips.columns if name != "file" and clips[name].notna().any()]
    first = [name for name in (EMOTION, "speaker", "gender", "corpus", "intensity") if name in usable]
    options = first + [name for name in usable if name not in first]
    return select("colour", "Colour by", options, default=EMOTION, show=lambda name: name.replace("_", " "))


def select(
    name: str,
    label: str,
    options: Sequence[Any],
    *,
    default: object,
    show: Callable[[Any], str] = str,
    help: str | None = None,  # noqa: A002
) -> Any:
    """Show a choice of the session as a select box."""
    st.session_state[f"_{name}"] = value = links.settle(name, options, default=default, show=show)
    st.selectbox(label, options, format_func=show, key=f"_{name}", on_change=_keep, args=(name,), help=help)
    return value


def several(
    name: str,
    label: str,
    options: Sequence[str],
    *,
    usual: Sequence[str] = (),
    said: str = "all",
    help: str | None = None,  # noqa: A002
) -> tuple[str, ...]:
    """Show a choice of several as a multi-select; at first, and when all are taken away, the usual ones, or all.

    ``said`` is what the empty field says.
    """
    asked = st.session_state.get(name) or ()
    wanted = [option for option in options if option in asked]
    unknown = ", ".join(word for word in asked if word not in options)
    if unknown and links.from_link(name):
        links.note(f"The link asks for {links.NAMES[name]} that are not here: {unknown[: links.LONGEST]}.")
    st.session_state[f"_{name}"] = st.session_state[name] = wanted
    links.from_link(name)
    arguments: dict[str, Any] = {"placeholder": said, "on_change": _keep, "args": (name,), "help": help}
    st.multiselect(label, options, key=f"_{name}", **arguments)
    return tuple(wanted or usual or options)


def segments(name: str, label: str, options: Sequence[Any], *, default: object, show: Callable[[Any], str]) -> Any:
    """Show a choice of the session as buttons side by side."""
    st.session_state[f"_{name}"] = value = links.settle(name, options, default=default)
    arguments: dict[str, Any] = {
        "key": f"_{name}",
        "on_change": _keep,
        "args": (name,),
        "required": True,
        "width": "stretch",
    }
    st.segmented_control(label, options, format_func=show, **arguments)
    return value


def facts(pairs: Mapping[str, object]) -> None:
    """Show names and values in two columns, as text whatever they hold."""
    rows = "".join(
        f"<div style='opacity:.62'>{html.escape(str(name))}</div>"
        f"<div style='overflow-wrap:anywhere'>{html.escape(str(value))}</div>"
        for name, value in pairs.items()
    )
    style = "display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:0;font-size:.875rem"
    st.html(f"<div style='{style}'>{rows}</div>")


def plain(text: str) -> str:
    """Return text whose Markdown is switched off, for labels that Streamlit would format."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()<>#+-.!|~$:^=" else char for char in text)


def mark(table: str, rows: Sequence[int]) -> Any:
    """Select in the table with this key the rows of what is in hand, whoever took it in hand."""
    wanted = {"selection": {"rows": list(rows)}}
    if table in st.session_state and st.session_state[table]["selection"]["rows"] != wanted["selection"]["rows"]:
        st.session_state[table] = wanted
    return wanted


def _keep(name: str) -> None:
    """Copy a widget's new value to the choice it shows."""
    st.session_state[name] = st.session_state[f"_{name}"]


def matched(clips: pd.DataFrame) -> None:
    """Show, where corpora are mixed, by which words their emotions were matched."""
    names = sorted(clips["corpus"].unique())
    if len(names) < 2:
        return
    with st.expander("How the emotions of these corpora are matched (label map “common”)"):
        st.markdown(
            f"{labels.MAPS['common'].title}: a word that only one corpus has stays a group of its own. To train on "
            "fewer emotions, choose another map under *Train* on the Models page."
        )
        parts = [labels.MAPS["common"].table(clips.loc[clips["corpus"] == name, "emotion"]) for name in names]
        table = pd.concat([part.assign(corpus=name) for name, part in zip(names, parts, strict=True)])
        table.columns = ["its own word", "here", "clips", "corpus"]
        st.dataframe(table[["corpus", "its own word", "here", "clips"]], hide_index=True)
