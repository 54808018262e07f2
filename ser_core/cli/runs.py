"""``ser runs``: the trained models, and what came out."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_core.cli.terminal import (
    CacheOption,
    JsonOption,
    command,
    job,
    print_json,
    print_matrix,
    print_table,
    span,
    where,
)
from ser_core.models.cards import REDUCERS

if TYPE_CHECKING:
    from ser_core.runs import Run

app = typer.Typer(no_args_is_help=True, help="Trained models: list, show, compare, combine, remove.")
RunName = Annotated[str, typer.Argument(help="The id of a run, or its beginning.")]


@command(app, "ls")
def runs_ls(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List the trained models, the newest first."""
    from ser_core import runs

    found = [_listed(run) for run in runs.ls(where(cache))]
    if as_json:
        print_json({"runs": found})
        return
    rows = [
        (
            one["id"],
            one["title"],
            f"{one['n_done']}/{one['n_folds']}",
            *_percent(one.get("uar"), one.get("uar_95")),
            "-" if one["n_parameters"] is None else f"{one['n_parameters']:,}",
            f"{one['seconds']:.0f} s",
            "the encoder has seen the corpus" if one["contaminated"] else "",
        )
        for one in found
        if not one["problem"]
    ]
    print_table("id", "model · corpus · split", "folds", "UAR", "95 %", "parameters", "trained for", "", rows=rows)
    for one in found:
        if one["problem"]:
            typer.echo(one["problem"])


@command(app, "show")
def runsshow(run: RunName, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Show what a trained model came to: scores, each emotion, confusions, speakers, calibration."""
    from ser_core import runs

    show(runs.get(where(cache), run), as_json=as_json)


@command(app, "rm")
def runs_rm(run: RunName, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Delete a trained model with all that it predicted."""
    from ser_core import runs

    kept = where(cache)
    found = runs.get(kept, run)
    runs.remove(kept, found.id)
    print_json({"removed": found.id}) if as_json else typer.echo(f"removed {found.id}: {found.title}")


@command(app, "compare")
def runs_compare(a: RunName, b: RunName, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Compare two trained models on the clips that both were tested on."""
    from ser_core import comparison, runs

    kept = where(cache)
    one, other = runs.get(kept, a), runs.get(kept, b)
    found = comparison.compare(one, other)
    summary = {
        "a": {"id": one.id, "title": one.title, "uar": found.a.uar, "wa": found.a.wa},
        "b": {"id": other.id, "title": other.title, "uar": found.b.uar, "wa": found.b.wa},
        "n_clips": len(found.a.truth),
        "uar_difference": found.difference,
        "uar_difference_95": found.interval,
        "only_a_right": found.mcnemar.only_a,
        "only_b_right": found.mcnemar.only_b,
        "p": found.mcnemar.p,
        "differ": found.differ.to_dict("records"),
    }
    if as_json:
        print_json(summary)
        return
    for name in ("a", "b"):
        typer.echo("{id}  {title}: UAR {uar:.1%}, WA {wa:.1%}".format(**summary[name]))
    low, high = found.interval
    typer.echo(
        f"{summary['n_clips']} clips tested by both; UAR differs by {100 * found.difference:+.1f} points"
        f" (95 % interval {100 * low:+.1f} to {100 * high:+.1f}, resampling speakers)"
    )
    typer.echo(
        f"{found.mcnemar.only_a} clips only the first has right, {found.mcnemar.only_b} only the second"
        f" (McNemar, exact: p = {found.mcnemar.p:.3g}); {len(found.differ)} are called differently"
    )


@command(app, "combine")
def runs_combine(
    members: Annotated[list[str], typer.Argument(help="Ids of runs on one corpus and one split, or their beginnings.")],
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the mean of what several trained models say as a run of its own; nothing is trained."""
    from ser_core import combining

    show(combining.combine(members, cache=where(cache)), as_json=as_json)


@command(app, "importance")
def runs_importance(
    run: RunName,
    repeats: Annotated[int, typer.Option(min=1, help="How often each group is shuffled.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the orders.")] = 0,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which groups of measures a model needs: what UAR loses when they are shuffled among the test clips."""
    from ser_core import importance, runs

    kept = where(cache)
    found = runs.get(kept, run)
    how = {"repeats": repeats, "seed": seed}
    with job(kept, importance.arguments(found, **how), importance.title(found)) as report:
        table = importance.of_run(found, cache=kept, **how, progress=report)
    if as_json:
        print_json(
            {
                "id": found.id,
                "title": found.title,
                "uar": found.evaluation.uar,
                **how,
                "groups": table.to_dict("records"),
            }
        )
        return
    percent = [[f"{100 * value:+.1f}" for value in table[name]] for name in ("drop", "low", "high")]
    rows = zip(table["words"], table["n_values"], *percent, strict=True)
    print_table("shuffled", "values", "points of UAR lost", "2.5 %", "97.5 %", rows=rows)


@command(app, "latents")
def runs_latents(run: RunName, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Tell which latent of an autoencoder carries what: emotion, intensity, sentence, speaker, gender."""
    from ser_core import catalogue, latents, runs, scores

    kept = where(cache)
    found = runs.get(kept, run)
    clips = catalogue.get(kept, found.corpus).clips()
    with job(kept, latents.arguments(found), latents.title(found)) as report:
        told = latents.carried(found, clips, cache=kept, seed=latents.SEED, progress=report)
    factors, chance = told.factors, told.information.chance / told.information.entropy
    emotions = told.emotions and {
        "uar": told.emotions.uar,
        "uar_95": told.emotions.interval(scores.uar),
        "n_clips": len(told.emotions.truth),
        "n_emotions": len(told.emotions.classes),
    }
    summary = {
        "id": found.id,
        "title": found.title,
        "n_clips": told.n_clips,
        "latents": [
            {
                "latent": number,
                "divergence": told.divergence[number],
                "active": told.active[number],
                "information": dict(zip(factors, told.information.shares[number], strict=True)),
                "chance": dict(zip(factors, chance[number], strict=True)),
                "accuracy": dict(zip(factors, told.separated.accuracy[number], strict=True)),
                "importance": dict(zip(factors, told.importance.weights[number], strict=True)),
            }
            for number in range(len(told.active))
        ],
        "mig": dict(zip(factors, told.information.gaps, strict=True)),
        "sap": dict(zip(factors, told.separated.gaps, strict=True)),
        "dci": {
            "disentanglement": told.importance.disentanglement,
            "completeness": dict(zip(factors, told.importance.completeness, strict=True)),
            "informativeness": dict(zip(factors, told.importance.informativeness, strict=True)),
        },
        "emotion_from_means": emotions,
    }
    if as_json:
        print_json(summary)
        return
    typer.echo(f"run {found.id}: {found.title}")
    typer.echo(f"{told.n_clips} clips; share of what there is to know of each that a latent tells, in per cent")
    lines = [
        (
            number,
            f"{told.divergence[number]:.2f}",
            "yes" if told.active[number] else "no",
            *(f"{100 * share:.0f} ({100 * luck:.0f})" for share, luck in zip(shares, chance[number], strict=True)),
        )
        for number, shares in enumerate(told.information.shares)
    ]
    print_table("latent", "KL, nats", "active", *factors, rows=lines)
    typer.echo("in brackets what chance brings: the same with labels shuffled among the clips")
    of = {"MIG": told.information.gaps, "SAP": told.separated.gaps}
    of |= {
        "DCI completeness": told.importance.completeness,
        "DCI informativeness (UAR)": told.importance.informativeness,
    }
    print_table("", *factors, rows=[(name, *(f"{value:.3f}" for value in row)) for name, row in of.items()])
    typer.echo(f"DCI disentanglement {told.importance.disentanglement:.3f}")
    if emotions:
        typer.echo(
            f"emotion from the means, speakers unseen by the classifier: UAR {emotions['uar']:.1%} (95 % interval"
            f" {' to '.join(f'{one:.1%}' for one in emotions['uar_95'])}), guessing {1 / emotions['n_emotions']:.1%}"
        )


def _show_autoencoder(run: "Run", *, as_json: bool) -> None:
    """Print what an autoencoder came to."""
    from ser_core import latents

    table, last = run.latents, run.history.iloc[-1]
    parts = {name: table[table["part"] == name] for name in ("train", "test")}
    told = {
        name: {
            "n_clips": len(part),
            "n_measured": int(part["reconstruction"].notna().sum()),
            "reconstruction": float(part["reconstruction"].mean()),
            "divergence": latents.divergence(part).mean(axis=0),
        }
        for name, part in parts.items()
        if len(part)
    }
    if as_json:
        print_json({**_line(run), "parts": told, "facts": run.facts, "recipe": run.recipe})
        return
    typer.echo(f"run {run.id}: {run.title}")
    words = {"train": "trained on", "test": "other clips"}
    rows = [
        (
            words[name],
            one["n_clips"],
            f"{one['reconstruction']:,.1f}" if one["n_measured"] else "-",
            one["n_measured"],
            f"{one['divergence'].sum():.2f}",
        )
        for name, one in told.items()
    ]
    print_table("", "clips", "reconstruction, nats", "of clips", "divergence, nats", rows=rows)
    typer.echo(f"{int(last['epoch']):,} epochs; {run.n_parameters:,} parameters, trained for {run.seconds:.0f} s")
    typer.echo(f"`ser embed {run.corpus} run:{run.id}` puts its latents on the maps; `ser runs latents {run.id}`")


def _show_reducer(run: "Run", *, as_json: bool) -> None:
    """Print what an autoencoder that makes two numbers of a clip came to."""
    table = run.latents
    parts = {name: table.loc[table["part"] == name, "reconstruction"] for name in ("train", "test")}
    told = {name: {"n_clips": len(part), "error": float(part.mean())} for name, part in parts.items() if len(part)}
    if as_json:
        print_json({**_line(run), "parts": told, "facts": run.facts, "recipe": run.recipe})
        return
    typer.echo(f"run {run.id}: {run.title}")
    words = {"train": "trained on", "test": "other clips, outliers among them"}
    rows = [(words[name], one["n_clips"], f"{one['error']:.3f}") for name, one in told.items()]
    print_table("", "clips", "mean squared error", rows=rows)
    outliers = run.facts["n_outliers"]
    typer.echo(f"{outliers} outliers left out; {run.n_parameters:,} parameters, trained for {run.seconds:.1f} s")
    typer.echo(f"`ser embed {run.corpus} run:{run.id}` puts its two numbers on the maps")


def _line(run: "Run") -> dict[str, Any]:
    """Return a run in one line of a list."""
    from ser_core import scores

    names = ("id", "title", "model", "corpus", "split", "normalise", "n_done", "n_folds", "seconds", "n_parameters")
    told = {name: getattr(run, name) for name in names}
    told |= {"started": run.facts["started"], "contaminated": run.contaminated}
    if run.n_done and run.recognises:
        found = run.evaluation
        told |= {"uar": found.uar, "uar_95": found.interval(scores.uar), "n_clips": len(found.truth)}
        told |= {"speaker_independent": run.speaker_independent}
    return told


def _listed(run: "Run") -> dict[str, Any]:
    """Return a run in one line, or why its files cannot be read: one damaged run hides no others."""
    from ser_core.runs import RunError

    try:
        return {**_line(run), "problem": None}
    except RunError as error:
        return {"id": run.id, "title": run.title, "problem": str(error)}


def _summary(run: "Run") -> dict[str, Any]:
    """Return all that is told of a run."""
    from ser_core import scores
    from ser_core.models import calibration

    found, probabilities = run.evaluation, run.probabilities
    several = len(set(found.truth)) > 1
    return {
        **_line(run),
        "wa": found.wa,
        "wa_95": found.interval(scores.wa),
        "macro_f1": scores.macro_f1(found.confusion),
        "macro_f1_95": found.interval(scores.macro_f1),
        "auc": scores.auc(found.truth, probabilities) if several else None,
        "auc_95": scores.auc_interval(found.truth, probabilities, found.speakers) if several else None,
        "brier": calibration.brier(probabilities, found.truth),
        "calibration_error": calibration.calibration_error(probabilities, found.truth),
        "classes": list(run.classes),
        "confusion": found.confusion,
        "report": scores.report(found.confusion, run.classes).to_dict("records"),
        "folds": run.folds.to_dict("records"),
        "facts": run.facts,
        "recipe": run.recipe,
    }


def show(run: "Run", *, as_json: bool) -> None:
    """Print what a run came to."""
    if not run.recognises:
        (_show_reducer if run.model in REDUCERS else _show_autoencoder)(run, as_json=as_json)
        return
    summary = _summary(run)
    if as_json:
        print_json(summary)
        return
    typer.echo(f"run {run.id}: {run.title}")
    for name, words in (("uar", "UAR"), ("wa", "WA"), ("macro_f1", "macro-F1"), ("auc", "AUC")):
        if summary[name] is not None:
            typer.echo(f"{words:9} {summary[name]:.4f}  (95 % interval {span(summary[f'{name}_95'], digits=3)})")
    apart = "no speaker is in training and test at once"
    if not run.evaluation.speaker_independent:
        apart = "speakers are shared" if run.folds["shared"].any() else "some recordings are in training and test"
    some = "" if run.finished else f", {run.n_done} of {run.n_folds} folds so far"
    typer.echo(f"{summary['n_clips']} test clips{some}; {apart}; intervals resample speakers")
    if run.contaminated:
        typer.echo(f"Not to be compared with others: {run.contaminated}.")
    columns = ("emotion", "precision", "recall", "f1", "n")
    rows = [[f"{x:.3f}" if isinstance(x, float) else x for x in map(one.get, columns)] for one in summary["report"]]
    print_table("emotion", "precision", "recall", "F1", "clips", rows=rows)
    print_matrix("true \\ said", run.classes, summary["confusion"])
    typer.echo(f"Brier score {summary['brier']:.3f}, calibration error {summary['calibration_error']:.3f}")
    people = [
        (
            one["fold"],
            *(", ".join(one[name]) or "-" for name in ("test_speakers", "validation_speakers", "shared")),
            one["n_train"],
            one["n_validation"],
            one["n_test"],
        )
        for one in summary["folds"]
    ]
    print_table("fold", "tested", "validated", "shared", "trained on", "validation", "test clips", rows=people)
    typer.echo(f"{run.n_parameters:,} parameters, trained for {run.seconds:.0f} s")


def _percent(value: float | None, pair: Any) -> tuple[str, str]:
    if value is None:
        return "-", "-"
    return f"{value:.1%}", " to ".join(f"{one:.1%}" for one in pair)
