"""``ser place``: clips of one's own among those of a corpus."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from ser_core import audio, catalogue
from ser_core.audio import AudioError
from ser_core.cache import Cache
from ser_core.cli import choices
from ser_core.cli.choices import Dimensions, Layer, ScalingOption
from ser_core.cli.terminal import ERR, CacheOption, JsonOption, bar, cell, command, job, print_json, print_table, where
from ser_core.embeddings import Embeddings
from ser_core.maps import SEED

if TYPE_CHECKING:
    from ser_core.placement import Atlas
    from ser_core.unseen import Unseen

WAYS: Final = {"mahalanobis": "distance", "neighbours": "ten nearest clips", "svm": "support vector machine"}
"""How each way of naming the emotion is called."""
KILO: Final = 1000

app = typer.Typer()


@command(app, "place")
def place(
    corpus: Annotated[str, typer.Option(help="A corpus, or several with commas between.")],
    encoder: Annotated[str, typer.Option(help="What they are embedded with: a name, or a key of `ser cache ls`.")],
    files: Annotated[list[str] | None, typer.Argument(help="Audio: WAV, FLAC, OGG, MP3, AIFF, M4A.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Say how often the answers are right.")] = False,
    method: Annotated[Literal["pca", "umap"], typer.Option("--map", help="How the map is drawn.")] = "pca",
    dimensions: Dimensions = 3,
    layer: Layer = -1,
    scaling: ScalingOption = None,
    teacher: Annotated[str | None, typer.Option(help="The corpus that valence and arousal are learnt from.")] = None,
    max_mb: Annotated[float, typer.Option(min=0.001, max=10_000, help="Largest file taken.")] = audio.MAX_BYTES / 1e6,
    max_minutes: Annotated[float, typer.Option(min=0.01, max=600, help="Longest clip taken.")] = audio.MAX_SECONDS / 60,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place clips among those of a corpus; nothing of the clips is kept."""
    if not files and not check:
        raise typer.BadParameter("name files to place, or ask for --check")
    kept, names = where(cache), catalogue.split(corpus)
    said: dict[str, Any] = {"corpora": names, "check": None}
    if check:
        said["check"] = checked(kept, names, encoder, layer=layer, scaling=scaling)
        if not as_json:
            _show_check(said["check"])
    if files:
        from ser_core import placement

        with bar(f"preparing {', '.join(names)}") as show:
            how: dict[str, Any] = {"method": method, "dimensions": dimensions, "layer": layer, "scaling": scaling}
            atlas = placement.atlas(names, encoder, **how, teacher=teacher, cache=kept, progress=show)
        limits = {"max_seconds": 60 * max_minutes, "max_bytes": int(1e6 * max_mb)}
        said["check"] = said["check"] or (_check(kept, atlas.found, atlas.unseen) if atlas.unseen else None)
        said["files"] = [_one(atlas, name, limits, as_json=as_json) for name in files]
        if not as_json:
            _show_atlas(atlas, said["check"])
    if as_json:
        print_json(said)
    raise typer.Exit(1 if any("error" in one for one in said.get("files", [])) else 0)


def checked(kept: Cache, names: list[str], encoder: str, *, layer: int, scaling: Any) -> dict[str, Any]:
    """Check the answers on unseen speakers, as the job that pages watch, or take what is kept."""
    from ser_core import unseen

    found, store = choices.opened(kept, names, encoder)
    view = choices.view(found, layer, "pca", 3, scaling, SEED)
    how: dict[str, Any] = {"layer": view.layer, "scaling": view.scaling}
    with job(kept, unseen.job(names, store.key, **how), choices.title("Check", names)) as report:
        return _check(kept, found, unseen.check(found, **how, cache=kept, progress=report))


def _check(kept: Cache, found: Embeddings, checked: "Unseen") -> dict[str, Any]:
    """Return how often the answers are right, as plain values; ``n_taught``: clips that the encoder had learnt from."""
    from ser_core import evaluation, trained

    answers = []
    for one in checked.answers:
        scores = {name: getattr(evaluation, name) for name in ("uar", "wa")}
        values = {name: score(one.evaluation.confusion) for name, score in scores.items()}
        spans = {f"{name}_95": list(one.evaluation.interval(score)) for name, score in scores.items()}
        answers.append({"name": one.name, **values, **spans, "confusion": one.evaluation.confusion.tolist()})
    return {
        "encoder": found.recipe["name"],
        "n_taught": trained.n_taught(found.recipe, found.digests, cache=kept),
        "checked_on": "unseen speakers",
        "n_clips": len(checked.rows),
        "n_speakers": int(found.clips["speaker"].iloc[checked.rows].nunique()),
        "emotions": list(checked.names),
        "answers": answers,
        "brier": checked.brier,
        "calibration_error": checked.calibration_error,
    }


def _one(atlas: "Atlas", name: str, limits: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Place one file and show it; one that cannot be placed is an error in a sentence, and the others go on."""
    from ser_core.placement import PlacementError

    shown = os.fsencode(name).decode("utf-8", "replace")
    try:
        with bar(_printable(Path(shown).name)) as show:
            said = {"file": shown} | atlas.place(name, **limits, progress=show).summary()
    except (AudioError, PlacementError) as error:
        sound = isinstance(error, AudioError)
        problem, reason = (error.problem, error.reason) if sound else ("not encodable", str(error))
        sentence = f"{_printable(shown)}: {reason}"
        ERR.print(f"Error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
        return {"file": shown, "error": sentence, "problem": problem}
    if not as_json:
        _show(said)
    return said


def _show(said: dict[str, Any]) -> None:
    clip, file = said["clip"], said["clip"]["file"]
    typer.echo(f"{_printable(said['file'])}")
    channels = "1 channel" if file["channels"] == 1 else f"{file['channels']} channels"
    typer.echo(
        f"{clip['seconds']:.2f} s, {file['container']} ({file['sample_format']}), {file['sampling_rate'] / KILO:g} kHz,"
        f" {channels}; peak {clip['peak_db']:.1f} dB, level {clip['rms_db']:.1f} dB of full scale,"
        f" {_percent(clip['clipped'], digits=1)} of samples clipped"
    )
    if clip["converted"]:
        typer.echo(", ".join(clip["converted"]))
    if same := said["same_recording"]:
        typer.echo(f"This very recording is in the corpus: {same['corpus']}, {same['file']} ({same['emotion']});")
        typer.echo("what is said below was learnt from it, too.")
    _show_landing(said)
    if said["emotions"]:
        _show_emotions(said)
    rows = [
        (one["file"], one["corpus"], one["speaker"], one["emotion"], cell(one["distance"])) for one in said["nearest"]
    ]
    print_table("nearest clips", "corpus", "speaker", "emotion", "distance", rows=rows)
    for one in said["unusual"] or []:
        typer.echo(f"unusual: {one['says']}")
    if said["recognisers"]:
        _show_recognisers(said["recognisers"])
    typer.echo("")


def _show_landing(said: dict[str, Any]) -> None:
    drawn = said["map"]
    how = "exact"
    if not drawn["exact"]:
        how = f"by its neighbours, typically {_percent(drawn['error'])} of the map's spread off"
    spot = ", ".join(cell(value) for value in said["point"])
    typer.echo(f"lands at {spot} on the map ({drawn['method'].upper()}, {drawn['n_components']}-D; {how})")
    if plane := said["plane"]:
        axes = ", ".join(f"{axis} {_within(plane[axis], plane[f'{axis}_within'])}" for axis in ("valence", "arousal"))
        share = (
            f"; {_percent(plane['share_within'])} of clips of unseen speakers are within"
            if plane["share_within"]
            else ""
        )
        typer.echo(f"{axes} (plane learnt from {plane['learnt_from']}{share})")
    if path := said["path"]:
        spans = [_range([one[axis] for one in path], axis) for axis in ("valence", "arousal")] if said["plane"] else []
        last = path[-1]
        typer.echo(", ".join([f"over time: {len(path)} windows of {last['to'] - last['from']:.1f} s", *spans]))


def _show_emotions(said: dict[str, Any]) -> None:
    named = [f"{name} by {WAYS[way]}" for way, name in said["named"].items() if name]
    typer.echo(f"nearest emotion: {', '.join(named) or 'none can be named'}")
    if said["further_than"] is not None:
        flag = "unlike this corpus: " if said["outlying"] else ""
        typer.echo(f"{flag}further from every emotion than {_percent(said['further_than'])} of the corpus's own clips")
    rows = [
        (
            *(one["emotion"], cell(one["distance"]), "-" if one["tail"] is None else f"{one['tail']:.1e}"),
            *(one["of_nearest"], "-" if one["probability"] is None else _percent(one["probability"])),
        )
        for one in said["emotions"]
    ]
    print_table("emotion", "distance", "tail", "of the nearest", "probability", rows=rows)


def _show_recognisers(told: list[dict[str, Any]]) -> None:
    """Show what trained models say, the most probable emotions first; a star where one had learnt from the clip."""
    rows = []
    for one in told:
        order = sorted(one["emotions"], key=lambda of: -(of["probability"] or 0))
        says = one["why"] or ", ".join(f"{of['emotion']} {_percent(of['probability'])}" for of in order)
        new = "unseen" if one["speaker_independent"] else "shared"
        rows.append((f"{one['title']}{' *' if one['taught'] else ''}", says, f"{one['uar']:.3f}", new))
    print_table("trained model", "says", "UAR", "test speakers", rows=rows)
    if any(one["taught"] for one in told):
        typer.echo("* had learnt from this very recording")


def _show_atlas(atlas: "Atlas", check: dict[str, Any] | None) -> None:
    if check:
        typer.echo(
            f"How often this is right for the {check['n_speakers']} speakers of the corpus, each left out in turn:"
        )
        _show_answers(check)
    for sentence in atlas.lacking:
        typer.echo(f"Not told: {sentence}")


def _show_check(check: dict[str, Any]) -> None:
    typer.echo(f"{check['n_clips']} clips, {check['n_speakers']} speakers, each left out in turn")
    _show_answers(check)
    typer.echo(f"probabilities: Brier score {check['brier']:.3f}, calibration error {check['calibration_error']:.3f}")


def _show_answers(check: dict[str, Any]) -> None:
    rows = [
        (WAYS[one["name"]], *(text for name in ("uar", "wa") for text in _score(one, name))) for one in check["answers"]
    ]
    rows.append(("chance", f"{1 / len(check['emotions']):.3f}", "", "", ""))
    print_table("emotion named by", "UAR", "95 %", "WA", "95 %", rows=rows)
    if check["n_taught"]:
        typer.echo(f"The encoder itself was trained on {check['n_taught']} of these clips: new clips do worse.")


def _score(answer: dict[str, Any], name: str) -> tuple[str, str]:
    low, high = answer[f"{name}_95"]
    return f"{answer[name]:.3f}", f"{low:.3f} to {high:.3f}"


def _percent(share: float, *, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _within(value: float, half: float | None) -> str:
    return f"{value:+.2f}" if half is None else f"{value:+.2f} ± {half:.2f}"


def _range(values: list[float | None], name: str) -> str:
    known = [value for value in values if value is not None]
    return f"{name} {min(known):+.2f} to {max(known):+.2f}" if known else f"{name} unknown"


def _printable(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
