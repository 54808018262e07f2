"""Where clips of each corpus lie by two numbers, which of them follows arousal, and how the plane turns."""

from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import export, on_maps, progress, runs_data, transfer_choice, transfer_data, widgets
from dashboard.words import interval, number
from ser_core import plans
from ser_core.geometry import clustered, rotation, russell, targets
from ser_core.geometry.targets import AXES
from ser_core.models.cards import KNOWN, REDUCERS
from ser_core.models.plane import Method
from ser_core.plans import ReducerPlan
from ser_core.plots import transfer as plot
from ser_core.transfer import TAUGHT, UNSEEN, Adaptation, Transfer, margins

CONFIG: Final = {"displayModeBar": False}
GRID: Final = 120
NUMBERS: Final = ("number 1", "number 2")


def show(found: Transfer) -> None:
    """Show the clips of all places on common axes, beside valence and arousal where they are rated."""
    method, adaptation, fold = _choose(found)
    places = found.places
    span = transfer_data.span(found, places, method, adaptation, fold)
    pictures = [*places]
    rated = _rated(found)
    for start in range(0, len(pictures) + rated, 2):
        for column, number_ in zip(st.columns(2, gap="medium"), range(start, start + 2), strict=True):
            with column:
                if number_ < len(pictures):
                    _plane(found, pictures[number_], method, adaptation, fold, span)
                elif rated and number_ == len(pictures):
                    _affect(found)
    if not rated:
        st.caption(
            f"{widgets.plain(found.own.name)} has no ratings of valence and arousal; where a corpus has them, they are "
            "drawn here beside the numbers (P4, Figure 4 a)."
        )
    st.caption(
        f"Fold {fold + 1} alone; outliers are left out. Numbers are in standard deviations of the training part; the "
        "first is that which goes more with arousal there, and both are turned so that they rise with arousal and with "
        "valence. Curves: how the clips of each emotion are spread along either. Ring: the clip in hand."
    )


def elsewhere(found: Transfer, *, n_layers: int) -> None:
    """Offer the two numbers as an encoder: those of one autoencoder, trained on all clips of these emotions.

    ``n_layers`` are those of the encoder.
    """
    question, model = found.question, st.session_state["numbers"]
    if model not in REDUCERS:  # the plane of PCA is on all maps anyway
        return
    st.markdown("##### These numbers on the other pages")
    encoder = None if found.encoder == KNOWN[model].vectors else found.encoder
    layer = -1 if question.layer == n_layers - 1 else question.layer
    words = ",".join(question.emotions)
    plan = ReducerPlan(model, found.own.name, emotions=words, encoder=encoder, layer=layer, seed=question.seed)
    arguments = plans.arguments(plan)
    run = next((one for one in runs_data.listed() if one.finished and one.facts["arguments"] == arguments), None)
    if run is not None:
        on_maps.offer(run, "The two numbers")
        return
    progress.offer(
        arguments,
        going="The autoencoder is being trained; you can go on elsewhere meanwhile.",
        wanted="Each fold has networks of its own. One that is trained on all these clips can be an encoder on the "
        "other pages, where maps of these clips are then marked as known to it.",
        label="Train it on all clips (a few seconds, in the background)",
        start=lambda: transfer_data.start_training(plan),
    )


def follows(found: Transfer) -> None:
    """Show what the numbers follow, and how the plane is turned in other corpora."""
    left, right = st.columns(2, gap="medium")
    with left:
        method = transfer_choice.method(planes=True)
    with right:
        adaptation = transfer_choice.adaptation() if found.others else "none"
    st.markdown("##### What the two numbers follow")
    goes = {where: transfer_data.follows(found, where, method, adaptation) for where in found.places[1:]}
    for column, name in zip(st.columns(2, gap="large"), reversed(AXES), strict=True):
        with column:
            entries = [
                (f"{_place(found, where)}: {NUMBERS[k]}", one[name][k]) for where, one in goes.items() for k in range(2)
            ]
            with st.container(key=f"follows_{name}"):
                figure = plot.follows(entries, title=f"correlation with {name} (Pearson)")
                st.plotly_chart(figure, key=f"follows_{name}_figure", config=CONFIG, alt=f"Correlations with {name}")
    first = goes[UNSEEN]["arousal"][0]
    st.markdown(_claim(found, first))
    st.caption(
        "Lines: 95 % intervals, whole speakers drawn again. Validation part: each clip once, by the fold that has not "
        f"learnt from it; other corpora: mean over folds. Arousal and valence: {_scale(found)}."
    )
    if found.others:
        _turning(found, method, adaptation)


def _choose(found: Transfer) -> tuple[Method, Adaptation, int]:
    columns = st.columns([1.6, 1, 0.6], gap="medium")
    with columns[0]:
        method = transfer_choice.method(planes=True)
    with columns[1]:
        adaptation = transfer_choice.adaptation() if found.others else "none"
    with columns[2]:
        numbers = list(range(1, found.n_folds + 1))
        fold = widgets.select("fold", "Fold", numbers, default=1, show=lambda k: f"fold {k}")
    return method, adaptation, fold - 1


def _plane(found: Transfer, where: str, method: Method, adaptation: Adaptation, fold: int, span: np.ndarray) -> None:
    points = found.planes(where, method, adaptation)[fold]
    n, name = int((~np.isnan(points[:, 0])).sum()), _place(found, where)
    st.markdown(f"**{widgets.plain(name)}** ({n:,} clips)")
    held, digests = str(st.session_state.get("clip") or ""), found.landed(where).digests
    chosen = next((row for row, digest in enumerate(digests) if held and digest.startswith(held)), None)
    key = f"plane_{where.replace(' ', '_')}"
    _scatter(key, points, found.landed(where).clips, span=span, axes=NUMBERS, chosen=chosen)


def _affect(found: Transfer) -> None:
    goal, ends = targets.known(found.own.clips), np.array([[-1.1, 1.1], [-1.1, 1.1]])
    st.markdown(f"**{widgets.plain(found.own.name)}, rated** ({int((~np.isnan(goal[:, 0])).sum()):,} clips)")
    _scatter("plane_rated", goal[:, ::-1], found.own.clips, span=ends, axes=("arousal", "valence"), chosen=None)


def _scatter(
    key: str,
    points: np.ndarray,
    clips: pd.DataFrame,
    *,
    span: np.ndarray,
    axes: tuple[str, str],
    chosen: int | None,
) -> None:
    words = clips["emotion"].tolist()
    at = tuple(np.linspace(low, high, GRID) for low, high in span)
    along = [margins(points[:, k], words, at[k]) for k in range(2)]
    both = {word: (along[0][word], along[1][word]) for word in along[0] if word in along[1]}
    ends = tuple((float(low), float(high)) for low, high in span)
    how: dict[str, Any] = {"axes": axes, "span": (ends[0], ends[1]), "margins": both, "at": (at[0], at[1])}
    with st.container(key=key):
        figure = plot.plane(points, words, **how, chosen=chosen)
        st.plotly_chart(figure, key=f"{key}_figure", config=CONFIG, alt="Clips by two numbers, coloured by emotion")
    export.picture(key, name=key)


def _turning(found: Transfer, method: Method, adaptation: Adaptation) -> None:
    st.markdown("##### How the plane is turned in another corpus")
    names = [one.name for one in found.others]
    default = names[0]
    where = widgets.select("place", "Corpus", names, default=default) if len(names) > 1 else default
    fold = widgets.select("fold", "Fold", list(range(1, found.n_folds + 1)), default=1, show=lambda k: f"fold {k}") - 1
    learnt, there = found.centres(TAUGHT, method)[fold], found.centres(where, method, adaptation)[fold]
    turn = rotation.turn(there, learnt)
    if turn is None:
        st.info("Too few emotions are in both corpora to tell how one is turned against the other.")
        return
    titles = (f"{where} as it is", f"{where} shifted, and turned by {turn.degrees:.0f}°")
    with st.container(key="turned"):
        brought = turn.apply(there, turned=True)
        planes = {"learnt": learnt, "there": there, "brought": brought}
        figure = plot.turned(found.question.emotions, **planes, titles=titles)
        st.plotly_chart(figure, key="turned_figure", config=CONFIG, alt="Centres of emotions before and after the turn")
    degrees = np.array([one.degrees for one in found.turns(where, method, adaptation)])
    mean, together = russell.circular_mean(degrees.tolist(), [1.0] * len(degrees))
    score = transfer_data.score(found, where, method, adaptation).folds
    shifted, turned = transfer_data.undone(found, where, method, adaptation)
    st.markdown(
        f"Open: the centres in the training part of {widgets.plain(found.own.name)}; filled: in "
        f"{widgets.plain(where)}. Over the folds the turn goes from {number(degrees.min(), digits=0)}° to "
        f"{number(degrees.max(), digits=0)}°, in the mean {number((mean + 180) % 360 - 180, digits=0)}° (folds agree "
        f"to {number(together)}, 1 is fully): the numbers of an autoencoder have no direction of their own, and each "
        f"fold finds its own. Mean recall as it is {number(100 * score.value, digits=1)} %, shifted "
        f"{number(100 * shifted.value, digits=1)} %, shifted and turned {number(100 * turned.value, digits=1)} %"
        f"{interval((100 * turned.low, 100 * turned.high), digits=1, say='95 % over folds: ')}."
    )
    if np.isnan(turned.value):
        st.caption(f"{widgets.plain(where)} has one speaker: what a turn brings is tried on speakers left out.")
    st.caption(
        "Shift and turn (orthogonal Procrustes) are fitted to the labelled clips of the corpus's other speakers for "
        "each speaker: it shows what stands between the corpora, and needs labels of the new one."
    )
    export.picture("turned", name=f"turned-{where}")


def _claim(found: Transfer, first: clustered.Estimate) -> str:
    said = f"{number(first.value)}{interval((first.low, first.high), say='95 %: ')}"
    if np.isnan(first.low):
        return f"P4: “dimension 1 follows activation”. Here, on unseen clips: {said}; one speaker gives no interval."
    held = "It does here" if first.low > 0 else "That cannot be told here"
    return (
        f"P4: “dimension 1 follows activation”. {held}: on clips that were not learnt from, r = {said}. (Number 1 is "
        "the one that goes more with arousal in the training part; whether number 2 does as well is seen beside it.)"
    )


def _scale(found: Transfer) -> str:
    every = (found.own, *found.others)
    rated = [one.name for one in every if targets.rated(one.clips)]
    rest = "where the label lies on Russell's circle"
    return f"as rated ({widgets.plain(', '.join(rated))}), else {rest}" if rated else f"{rest} (no ratings here)"


def _rated(found: Transfer) -> bool:
    return targets.rated(found.own.clips)


def _place(found: Transfer, where: str) -> str:
    return f"{found.own.name}, {where}" if where in (TAUGHT, UNSEEN) else where
