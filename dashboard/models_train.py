"""Train a model: choose what and how, start it in the background, watch it learn, stop it, go on."""

from functools import partial
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import data, progress, runs_data, training_panel, widgets
from dashboard.progress import duration
from ser_core import experiments, labels, splits
from ser_core.encoders import ENCODERS, Transformer
from ser_core.errors import SerError
from ser_core.experiments import Plan
from ser_core.jobs import Status
from ser_core.models.cards import CARDS, Card
from ser_core.plots import curves
from ser_core.runs import Run

CONFIG: Final = {"displayModeBar": False}
MODELS: Final = {
    "forest": "Many decision trees on features of the clip; the best of 48 settings is searched in the training part.",
    "svm": "Draws the widest gap between emotions among features of the clip; the field's quick and strong baseline.",
    "ridge": "Weighs thousands of features of the clip and of its parts; our best on unseen speakers without networks.",
    "mlp": "A plain neural network on features of the clip.",
    "cnn3": "A small network that looks at the clip's mel spectrogram as a picture.",
    "cnn4": "The same with one convolution more.",
    "cnn5": "The same with five convolutions: eight times as many parameters, and as many times slower.",
    "cnn_mlp": "Looks at cepstral coefficients (MFCC) as a picture, and at features of the clip beside it.",
    "cnn_transformer": "Two convolutional networks and a transformer look at the same cepstral coefficients; each "
    "training clip comes three times, twice with noise.",
    "head": "Two linear layers on a pretrained network that stays as it is: seconds, once its layers are computed.",
    "partial": "A pretrained network learns on, all but the convolutions that listen to the waveform. For a GPU.",
    "last-layers": "A pretrained network learns on in its last blocks alone. For a GPU, or a patient evening.",
    "lora": "A pretrained network stays, and small differences to it are learnt (LoRA). For a GPU.",
}
"""What each model is, in a sentence."""
SPLITS: Final = {
    "speaker": "Each speaker is tested by a model that never heard them. The honest number for new voices.",
    "loso": "The same with one speaker tested at a time: as many models as speakers, so it takes longest.",
    "random": "As in many papers: speakers are in training and in the test, so the score says nothing of new voices.",
}
"""What each split means, the usual one first."""
NORMALISE: Final = {"global": "by all training clips", "speaker": "each speaker by their own clips"}
PRETRAIN: Final = {"none": "none", "greedy": "greedy: each convolution first learns to redraw its input"}
RATES: Final = (0.000001, 0.000003, 0.00001, 0.00003, 0.0001, 0.0003, 0.0005, 0.001, 0.003, 0.01)
SMOOTHINGS: Final = (0.0, 0.05, 0.1, 0.2)
COSTS: Final = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
SECONDS: Final = {
    "forest": 100, "svm": 3, "ridge": 10, "mlp": 5, "cnn3": 70, "cnn4": 70, "cnn5": 160, "cnn_mlp": 260,
    "cnn_transformer": 400, "head": 2, "partial": 10_000, "last-layers": 1_000, "lora": 6_000,
}  # fmt: skip
"""About how long a fold of 1,000 clips takes on two processor cores, where no earlier run tells; of RAVDESS."""
NONE_HERE: Final = (
    "No pretrained network is on this machine yet: `ser models fetch wav2vec2-base` in a terminal brings one (380 MB)."
)
DECIDE: Final = (
    *("model", "encoder", "epochs", "learning_rate", "kernel", "augment", "pretrain"),
    *("labels", "weighted", "blocks", "one_cycle"),
)
"""What of a plan decides how long it takes."""


def show(corpus: str, runs: list[Run]) -> None:
    """Show the form, what is being trained, and what was left half done."""
    try:
        clips = data.clips_of(str(data.cache().root), corpus, data.stamp())
    except SerError as error:  # runs may be of a corpus that is not here
        st.info(widgets.plain(str(error)))
    else:
        left, right = st.columns([1.3, 1], gap="large")
        with left:
            plan = ask(corpus, clips)
        with right:
            _start(plan, clips, runs)
    _live()
    training_panel.unfinished(runs_data.recognisers())


def ask(corpus: str, clips: pd.DataFrame) -> Plan:
    """Choose what to train and how."""
    counts = f"{len(clips):,} clips, {clips['speaker'].nunique()} speakers, {clips['emotion'].nunique()} emotions"
    st.markdown(f"Train on **{widgets.plain(corpus)}** ({counts})")
    model = widgets.select("train_model", "Model", list(CARDS), default="svm", show=lambda one: CARDS[one].title)
    card = CARDS[model]
    st.caption(MODELS[model])
    split = widgets.select("train_split", "Split", list(SPLITS), default="speaker", show=splits.names)
    st.caption(SPLITS[split])
    options: dict[str, Any] = {}
    if card.vectors is not None:
        options |= _vectors(card, corpus)
    with st.expander("More choices"):
        options |= _more(card, clips)
    return Plan(model, corpus, split, **options)


def _vectors(card: Card, corpus: str) -> dict[str, Any]:
    """Choose the features that the model is given."""
    usable = {one.name: one.title for one in data.encoders() if one.missing is None}
    there = {one.encoder: one.store.recipe["layers"] for one in data.coverage(corpus) if one.n_embedded}
    names = [*usable, *(name for name in there if name not in usable)]
    if card.weighs:
        names = [name for name in names if card.tuning is None or pretrained(name)]
        if not any(map(pretrained, names)):
            st.info(NONE_HERE)
    usual = card.vectors if card.vectors in names else names[0] if names else card.vectors
    name = widgets.select(
        "train_encoder", "Pretrained network" if card.tuning else "Features", names or [usual], default=usual,
        show=lambda one: f"{one}{' (computed already)' if one in there else ''}",
        help="What is changed." if card.tuning else "What each clip is described by; computed first where it is not "
        "there yet.",
    )  # fmt: skip
    out: dict[str, Any] = {} if name == card.vectors else {"encoder": name}
    layers = there.get(name, ())
    if card.weighs and st.toggle(
        "Weigh all layers", key="_train_weighted", persist_state="session",
        help="The model learns how much each layer counts, instead of being given one.",
    ):  # fmt: skip
        return out | {"weighted": True}
    if len(layers) > 1:
        number = widgets.select(
            "train_layer", "Layer", list(range(len(layers))), default=len(layers) - 1, show=layers.__getitem__
        )
        out |= {} if number == len(layers) - 1 else {"layer": number}
    return out


def pretrained(name: str) -> bool:
    """Say whether an encoder is a pretrained network that can be changed."""
    return name.startswith("hf:") or isinstance(ENCODERS.get(name), Transformer)


def _labels(clips: pd.DataFrame) -> dict[str, Any]:
    """Choose what the corpus's words become, and show it."""
    known = labels.ls(data.cache())
    words = {"": "the corpus's own words"} | {one.name: one.title for one in known}
    name = widgets.select("train_labels", "Emotions", list(words), default="", show=words.__getitem__)
    if not name:
        return {}
    table = labels.get(data.cache(), name).table(clips["emotion"])
    table["emotion"] = table["emotion"].fillna("(left out)")
    table.columns = ["the corpus's word", "becomes", "clips"]
    st.dataframe(table, hide_index=True)
    return {"labels": name}


def _tuned(card: Card) -> dict[str, Any]:
    """Choose how the pretrained network learns."""
    out: dict[str, Any] = {}
    if card.tuning is None:
        return out
    rate = widgets.select(
        "train_encoder_rate", "Learning rate of the network", list(RATES), default=card.tuning.learning_rate,
        show="{:g}".format, help="The other rate is that of the layers on top of it.",
    )  # fmt: skip
    out |= {} if rate == card.tuning.learning_rate else {"encoder_rate": rate}
    if card.tuning.blocks:
        blocks = st.number_input(
            "Blocks that learn", min_value=1, max_value=48, value=card.tuning.blocks, key="_train_blocks",
            persist_state="session", help="Of the transformer, counted from the last.",
        )  # fmt: skip
        out |= {} if blocks == card.tuning.blocks else {"blocks": blocks}
    return out


def _more(card: Card, clips: pd.DataFrame) -> dict[str, Any]:
    """Choose what has a usual value."""
    out = _labels(clips)
    left, right = st.columns(2)
    with left:
        out |= _tuned(card)
        if card.tuning is None:
            out["normalise"] = widgets.select(
                "train_normalise", "Normalise", list(NORMALISE), default="global", show=NORMALISE.__getitem__,
                help="By each speaker's own clips takes away much of the voice, and mostly scores higher. It needs "
                "many clips of a speaker in all emotions, test speakers included: a lone clip of a new voice cannot "
                "be judged.",
            )  # fmt: skip
    out["seed"] = right.number_input(
        "Seed", min_value=0, max_value=9999, value=0, key="_train_seed", persist_state="session",
        help="The same seed gives the same run; others show how much is luck.",
    )  # fmt: skip
    if card.training is not None:
        most = card.training.epochs
        help_ = f"At most {most} as usual: it stops when the validation part gets no better. The best epoch is kept."
        epochs = left.number_input(
            "Epochs at most",
            min_value=1,
            max_value=1000,
            value=most,
            key="_train_epochs",
            persist_state="session",
            help=help_,
        )
        out |= {} if epochs == most else {"epochs": epochs}
        usual = card.training.learning_rate
        with right:
            rate = widgets.select(
                "train_rate", "Learning rate", list(RATES), default=usual, show="{:g}".format,
                help="How far a step of training goes; where the loss jumps about, take a lower one.",
            )  # fmt: skip
            smoothing = widgets.select(
                "train_smoothing", "Label smoothing", list(SMOOTHINGS), default=card.training.label_smoothing,
                show="{:g}".format,
                help="The share of each label that goes to all emotions alike: the network learns to be less sure.",
            )  # fmt: skip
        out |= {} if rate == usual else {"learning_rate": rate}
        out |= {} if smoothing == card.training.label_smoothing else {"label_smoothing": smoothing}
    if card.training is not None and card.tuning is None and left.toggle(
        "One cycle", key="_train_one_cycle", persist_state="session",
        help="The learning rate rises, then falls to nothing, and every epoch is trained. That needs fewer epochs: "
        "lower their number with it, to 15 or so.",
    ):  # fmt: skip
        out["one_cycle"] = True
    if card.augments:
        out["augment"] = right.toggle(
            "Augment", key="_train_augment", persist_state="session",
            help="Hides stripes of time and of frequency and adds noise, in training clips only.",
        )  # fmt: skip
    if card.pretrains:
        with left:
            out["pretrain"] = widgets.select(
                "train_pretrain", "Pretraining", list(PRETRAIN), default="none", show=PRETRAIN.__getitem__
            )
    if card.name == "svm":
        with left:
            out["kernel"] = widgets.select(
                "train_kernel", "Kernel", ["rbf", "linear"], default="rbf",
                help="rbf: curved borders between emotions; linear: straight ones, better with thousands of features.",
            )  # fmt: skip
        with right:
            out["c"] = widgets.select(
                "train_c", "Cost (C)", list(COSTS), default=1.0, help="Of a mistake in training: lower is simpler."
            )
    return out


def _start(plan: Plan, clips: pd.DataFrame, runs: list[Run]) -> None:
    """Say what will be trained and how long it takes about, and start it."""
    st.markdown(f"**{widgets.plain(experiments.title(plan))}**")
    arguments = experiments.arguments(plan)
    n_folds, seconds, told = _about(plan, clips, runs)
    models = "One model" if n_folds == 1 else f"{n_folds} models, each tested on speakers kept from it"
    st.markdown(f"{models}; about {duration(seconds)} {told}. {_first(plan)}")
    training_panel.start(
        arguments,
        title=experiments.title(plan),
        done=next((run for run in runs if run.facts.get("arguments") == arguments), None),
        check=partial(experiments.check, plan),
        open_run=_open,
        label="Open that run",
    )


def _first(plan: Plan) -> str:
    """Say what has to be computed before training."""
    card = CARDS[plan.model]
    if card.tuning:
        return "The sound of all clips is read into memory first."
    if card.vectors is None:
        return "Pictures of the clips that are missing are computed first."
    name = plan.encoder or card.vectors
    n_left, about = data.forecast(plan.corpus, name)
    return f"Before that {widgets.plain(name)} is computed: {about}" if n_left else "Its features are there already."


def _open(run: str) -> None:
    st.session_state["run"], st.session_state["models"] = run, "run"


def _about(plan: Plan, clips: pd.DataFrame, runs: list[Run]) -> tuple[int, float, str]:
    """Return how many folds there are, about how long they take in seconds, and where that is known from."""
    n_speakers = clips["speaker"].nunique()
    n_folds = {"random": 1, "speaker": min(splits.GROUPS, n_speakers), "loso": n_speakers}[plan.split]
    before = [run for run in runs if all(run.recipe.get(name) == getattr(plan, name) for name in DECIDE)]
    if before:
        last = before[0]
        rate, told = last.seconds / last.n_folds / last.recipe["n_clips"], "at the speed of the last such run"
    else:
        rate, told = SECONDS[plan.model] / 1000, "on two processor cores"
    return n_folds, rate * len(clips) * n_folds, told


@st.fragment(run_every="2s")
def _live() -> None:
    """Show what is being trained, with curves that grow; when one ends, the page is drawn anew."""
    every = runs_data.trainings(recognise=True)
    if any(job.active for job in every):
        st.markdown("##### At work")
    progress.follow(every, under=_curves)


def _curves(job: Status) -> None:
    """Draw the epochs of a training so far."""
    run = runs_data.of_job(job)
    if job.message:
        st.caption(widgets.plain(job.message))
    if run is None or run.history.empty:
        return
    fold = int(run.history["fold"].max())
    key = f"live_{run.id}"
    st.plotly_chart(
        curves.history(run.history, fold=fold), key=key, config=CONFIG, alt="Loss and accuracy of each epoch so far"
    )
    st.caption(f"Fold {fold} of {run.n_folds}, {len(run.history):,} epochs so far; the ring is the best epoch yet.")
