"""One run: how good it is and whether that is honest, what it takes for what, the clips behind each number."""

from collections import Counter
from typing import Any, Final

import streamlit as st

from dashboard import export, models_board, models_curves, models_mistakes, models_why, runs_data, widgets
from dashboard.progress import duration
from dashboard.runs_data import Scores
from dashboard.words import interval, number
from ser_core import splits
from ser_core.models.cards import KNOWN
from ser_core.runs import Run

LEAKS: Final = (
    "**Not a result for new voices**: {what} in training and in the test, so the model may know a clip by its voice. "
    "The part *Leakage premium* shows what that is worth."
)
PER_SPEAKER: Final = (
    "Normalised per speaker: every voice was standardised by its own mean and spread, over all of its clips. No label "
    "was used, but it takes many clips of a voice in all its emotions before the first can be judged; a lone clip of a "
    "new voice cannot be."
)

HELP: Final = {
    "Brier score": "Mean squared error of the probabilities",
    "calibration error": "Mean gap between how sure it was and how often it was right",
}


def show(_corpus: str, runs: list[Run]) -> None:
    """Show a run."""
    run = choose("run", "Run", runs)
    says(run)
    models_mistakes.show(run)
    models_curves.show(run)
    models_why.importance(run)
    who(run)
    recipe(run)


def choose(name: str, label: str, runs: list[Run]) -> Run:
    """Choose a run, at first the newest."""
    titles = titled(runs)
    chosen = widgets.select(name, label, list(titles), default=runs[0].id, show=titles.__getitem__)
    return next(run for run in runs if run.id == chosen)


def titled(runs: list[Run]) -> dict[str, str]:
    """Return the titles of runs of one corpus by their ids; the beginning of the id tells those of one title apart."""
    named = {run.id: models_board.short(run) for run in runs}
    twice = {title for title, n in Counter(named.values()).items() if n > 1}
    return {id_: f"{title} ({id_[:4]})" if title in twice else title for id_, title in named.items()}


def says(run: Run) -> None:
    """Say what the run came to, on whom, and what is not honest about it."""
    one, found = runs_data.scored(run), run.evaluation
    chance = 100 / len(run.classes)
    heard = "speakers that the model had not heard" if found.speaker_independent else "speakers"
    st.markdown(
        f"It recognises **{100 * one.uar:.1f} %** of the clips of an emotion, averaged over the emotions "
        f"(UAR{_span(one.uar_95)}); guessing gives {chance:.1f} %. Tested on {len(found.truth):,} clips of "
        f"{len(set(found.speakers))} {heard}, {_folds(run)}."
    )
    if not found.speaker_independent:
        st.warning(LEAKS.format(what=_shared(run)))
    if run.contaminated:
        st.warning(widgets.plain(run.contaminated))
    if run.normalise == "speaker":
        st.info(PER_SPEAKER)
    _scores(one)


def _folds(run: Run) -> str:
    return "in one split" if run.n_folds == 1 else f"each in one of {run.n_folds} folds"


def _span(pair: tuple[float, float]) -> str:
    return interval([100 * end for end in pair], digits=1, say="95 %: ").replace(" (", ", ", 1).removesuffix(")")


def _shared(run: Run) -> str:
    shared = {name for names in run.folds["shared"] for name in names}
    same = int(run.folds["same_recordings"].sum())
    told = [f"{len(shared)} speakers are"] if shared else []
    told += [f"{same} recordings of the test are, under another name,"] if same else []
    return " and ".join(told)


def _scores(one: Scores) -> None:
    line = st.columns(5)
    shares = {
        "accuracy": (one.wa, one.wa_95),
        "macro-F1": (one.macro_f1, one.macro_f1_95),
        "AUC": (one.auc, one.auc_95),
    }
    said = [
        (name, f"{100 * value:.1f} %", interval([100 * end for end in pair], digits=1).strip(" ()"))
        for name, (value, pair) in shares.items()
    ]
    said.append(("Brier score", number(one.brier), "0 best, 2 worst"))
    said.append(("calibration error", f"{100 * one.calibration_error:.1f} %", "0 best"))
    for column, (name, value, below) in zip(line, said, strict=True):
        help_ = (models_board.HELP | HELP)[name]
        column.metric(name[:1].upper() + name[1:], value, below, delta_color="off", delta_arrow="off", help=help_)


def who(run: Run) -> None:
    """Show which speakers were where in each fold."""
    with st.expander("Who was where (speakers of each fold)"):
        table = run.folds.copy()
        for name in table.columns:
            if table[name].map(lambda value: isinstance(value, list)).any():
                table[name] = table[name].map(", ".join)
        table.columns = [str(name).replace("_", " ").removeprefix("n ") for name in table.columns]
        st.dataframe(table, hide_index=True)
        st.caption(
            "“shared” names speakers of the test part who are in training or validation too; “same recordings” counts "
            "test clips whose very file is there under another name. Speaker-independent only if both are empty."
        )
        export.table(table, name=f"folds-{run.id}")


def recipe(run: Run) -> None:
    """Show what was trained, and how, so that it can be done again."""
    with st.expander("How it was trained"):
        card = KNOWN[run.model]
        facts: dict[str, Any] = {"model": f"{card.title} ({card.source})"}
        facts |= {"given": runs_data.given(run)}
        facts |= {"split": splits.names(run.split), "folds": run.n_folds, "emotions": ", ".join(run.classes)}
        if mapped := run.recipe.get("label_map"):
            said = [f"{word} → {emotion or 'left out'}" for word, emotion in mapped.items()]
            facts["emotions by the map"] = f"{run.recipe['labels']}: {', '.join(said)}"
        facts |= {"normalised": run.normalise, "seed": run.recipe.get("seed")}
        facts |= {name: value for name, value in (run.recipe.get("training") or {}).items() if value is not None}
        tuning = run.recipe.get("tuning") or {}
        facts |= {f"encoder's {name}": value for name, value in tuning.items() if value not in (None, 0)}
        facts |= {
            f"{name}, chosen inside the training part": value for name, value in models_curves.chosen(run).items()
        }
        facts |= {"parameters": f"{run.n_parameters:,}", "took": duration(run.seconds)}
        facts |= {"started": run.facts.get("started", ""), "run": run.id}
        widgets.facts({name.replace("_", " "): value for name, value in facts.items()})
        st.code(run.command, language="shell")
