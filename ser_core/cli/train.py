"""``ser train``: train a model, one that names emotions or an autoencoder, and keep it as a run."""

import os
from typing import Annotated, Literal

import typer

from ser_core.cli.runs import show
from ser_core.cli.terminal import CacheOption, JsonOption, command, job, where

app = typer.Typer()
VAE = "Of vae; the first two and the last of uae and dae, too"
REDUCER = "Of uae and dae"
TUNED = "Of head, partial, last-layers and lora"
"""Panels of their options."""


@command(app, "train")
def train(
    model: Annotated[
        str,
        typer.Argument(
            help="forest, svm, ridge, mlp, cnn3, cnn4, cnn5, cnn_mlp, cnn_transformer; on a pretrained encoder head,"
            " partial, last-layers, lora; vae, uae, dae."
        ),
    ],
    corpus: Annotated[str, typer.Argument(help="A name of `ser corpora ls`.")],
    split: Annotated[
        Literal["random", "speaker", "loso"],
        typer.Option(
            help="random: speakers are shared, as in most papers; speaker: unseen, 6 folds; loso: one a fold."
        ),
    ] = "speaker",
    encoder: Annotated[
        str | None,
        typer.Option(help="Of the vectors that a model takes (default: compare_parts for ridge, else spectral)."),
    ] = None,
    layer: Annotated[int, typer.Option(help="Of the encoder; negative counts from the last.")] = -1,
    normalise: Annotated[
        Literal["global", "speaker"],
        typer.Option(help="speaker: by each speaker's own clips, of which many are wanted, test speakers' too."),
    ] = "global",
    seed: Annotated[int, typer.Option(min=0, help="Of the random split and of training.")] = 0,
    augment: Annotated[
        bool, typer.Option("--augment", help="Masks and noise in training (cnn3, cnn4, cnn5, cnn_transformer).")
    ] = False,
    pretrain: Annotated[Literal["none", "greedy"], typer.Option(help="greedy: layer by layer first (cnn3).")] = "none",
    epochs: Annotated[int | None, typer.Option(min=1, help="At most (default: as in the paper).")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of a network (default: as in the paper).")] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Of a network: the share of each label that goes to all emotions alike.")
    ] = None,
    one_cycle: Annotated[
        bool,
        typer.Option("--one-cycle", help="Of a network: the rate rises and falls once, and all epochs are trained."),
    ] = False,
    kernel: Annotated[Literal["rbf", "linear"], typer.Option(help="Of svm.")] = "rbf",
    c: Annotated[float, typer.Option(help="Cost C of svm.")] = 1.0,
    labels: Annotated[
        str | None,
        typer.Option(help="A map of `ser labels ls`: what the corpus's words become (default: they stay)."),
    ] = None,
    weighted: Annotated[
        bool,
        typer.Option("--weighted", help="All layers, each of a weight that is learnt.", rich_help_panel=TUNED),
    ] = False,
    blocks: Annotated[
        int | None,
        typer.Option(min=1, help="Of last-layers: how many blocks learn (default: 2).", rich_help_panel=TUNED),
    ] = None,
    encoder_rate: Annotated[
        float | None, typer.Option(help="Learning rate of the encoder (not of head).", rich_help_panel=TUNED)
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Clips at once; gradients of more are added up (default: the batch, less where memory runs out).",
            rich_help_panel=TUNED,
        ),
    ] = None,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute", help="Less memory, a third more work (gradient checkpointing).", rich_help_panel=TUNED
        ),
    ] = False,
    emotions: Annotated[
        str | None,
        typer.Option(help="Clips of these alone, common names with commas between.", rich_help_panel=REDUCER),
    ] = None,
    speakers: Annotated[
        str | None,
        typer.Option(
            help="Whose clips: names with commas between, male or female (default: all).", rich_help_panel=VAE
        ),
    ] = None,
    statement: Annotated[str | None, typer.Option(help="Clips of one sentence only.", rich_help_panel=VAE)] = None,
    beta: Annotated[
        float | None, typer.Option(help="Weight of the divergence (default: 1).", rich_help_panel=VAE)
    ] = None,
    warmup: Annotated[
        int | None, typer.Option(help="Epochs in which that weight grows from 0.", rich_help_panel=VAE)
    ] = None,
    told_speaker: Annotated[
        bool, typer.Option("--told-speaker", help="The decoder is told who speaks.", rich_help_panel=VAE)
    ] = False,
    any_length: Annotated[
        bool, typer.Option("--any-length", help="Clips up to 6.1 s; nothing is padded.", rich_help_panel=VAE)
    ] = False,
    batch_size: Annotated[int | None, typer.Option(help="Clips a step (default: 64).", rich_help_panel=VAE)] = None,
    device: Annotated[str, typer.Option(help="auto, cuda or cpu (networks).")] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Of products while a network learns; float16 on a GPU, where an encoder is changed."),
    ] = "auto",
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model and keep it as a run; Ctrl-C keeps what is done, and the same command goes on."""
    from functools import partial

    from ser_core import autoencoders, experiments, plans, squeezing, trained
    from ser_core.models.cards import CARDS
    from ser_core.plans import ReducerPlan, VaePlan

    kept = where(cache)
    plan = plans.plan(
        model,
        corpus,
        split=split,
        encoder=encoder,
        layer=layer,
        normalise=normalise,
        seed=seed,
        augment=augment,
        pretrain=pretrain,
        epochs=epochs,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        one_cycle=one_cycle or None,
        kernel=kernel,
        c=c,
        labels=labels,
        weighted=weighted or None,
        blocks=blocks,
        encoder_rate=encoder_rate,
        emotions=emotions,
        speakers=speakers,
        statement=statement,
        beta=beta,
        warmup=warmup,
        told_speaker=told_speaker,
        any_length=any_length,
        batch_size=batch_size,
    )
    workers = os.cpu_count() or 1
    find = partial(trained.find, cache=kept)
    if isinstance(plan, ReducerPlan):
        plans.check_autoencoder(plan)
        with job(kept, plans.arguments(plan), plans.title(plan)) as report:
            run = squeezing.train(plan, cache=kept, find=find, workers=workers, progress=report)
    elif isinstance(plan, VaePlan):
        plans.check_autoencoder(plan)
        with job(kept, plans.arguments(plan), plans.title(plan)) as report:
            run = autoencoders.train(plan, cache=kept, device=device, workers=workers, progress=report)
    else:
        experiments.check(plan)
        if (at_once or recompute) and CARDS[plan.model].tuning is None:
            raise plans.ExperimentError(f"{plan.model} changes no encoder: leave out --at-once and --recompute")
        amounts = None
        if CARDS[plan.model].tuning:
            from ser_core.models.tuning import Amounts

            amounts = Amounts(at_once, recompute=recompute)
        with job(kept, experiments.arguments(plan), experiments.title(plan)) as report:
            run = experiments.train(
                plan,
                cache=kept,
                find=find,
                device=device,
                precision=precision,
                amounts=amounts,
                workers=workers,
                progress=report,
            )
    show(run, as_json=as_json)
