"""The variational autoencoder of paper P3: its spectrograms as sound, what it learns, and how quick it answers.

    python benchmarks/autoencoder.py [--data ../shared/data] [--cache FOLDER] [--parts sound,runs,scale,slider,page]

``sound``: every thirtieth clip of RAVDESS as a picture and back to sound; ours beside librosa's own way in one run.
``runs``: one actor, twelve, all, and the options, each a run of `ser train vae`, kept in the cache: the README's
tables, and the curve of one actor. ``scale``: the 24 actors once more for fewer steps, with levels as they are in dB
and standardised: what makes it converge. ``slider``: from eight numbers to spectrogram and sound, warm;
``page``: the same in Chromium, from the key that moves a slider to the new sound being there.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from ser_core import audio, autoencoders, catalogue, embeddings, latents, runs, scores
from ser_core.cache import Cache
from ser_core.cli.terminal import bar
from ser_core.encoders import encoder, voiced
from ser_core.plans import VaePlan
from ser_core.runs import Run

ROOT = Path(__file__).parent.parent
CORPUS = "ravdess"
EVERY = 30
SHOWN = (50, 250, 1000, 2500, 5000, 10_000, 16_000, 20_000, 25_000)
CEPSTRA = 13
SHORT = 3000
"""Steps of ``scale``."""
SENTENCE = "Kids are talking by the door"
PLANS = {
    "one actor, one sentence": VaePlan("vae", CORPUS, speakers="01", statement=SENTENCE),
    "12 actors (men)": VaePlan("vae", CORPUS, speakers="male"),
    "24 actors": VaePlan("vae", CORPUS),
    "24 actors, decoder told the speaker": VaePlan("vae", CORPUS, told_speaker=True),
    "24 actors, shorter": VaePlan("vae", CORPUS, epochs=250),
    "24 actors, shorter, β 4": VaePlan("vae", CORPUS, beta=4.0, epochs=250),
    "24 actors, shorter, any length": VaePlan("vae", CORPUS, any_length=True, epochs=250),
}
PLAYER = ".st-key-generated audio"
LOADED = """([player, before]) => {
    const now = document.querySelector(player)
    return now && now.getAttribute("src") !== before && now.readyState >= 2
}"""
FETCHED = (
    """(player) => performance.getEntriesByName(document.querySelector(player).src).at(-1).responseEnd - pressed"""
)
"""Milliseconds from the key to the end of the sound's file, by the browser's own clock."""
Signal = NDArray[np.float32]


def table(heads: list[str], rows: list[list[str]]) -> None:
    print("\n| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def cepstra(signal: Signal) -> NDArray[np.float64]:
    """Mel-cepstra 1 to 13 of each 10 ms, (13, n), by natural logarithms of amplitude over 40 mel bands."""
    power = librosa.feature.melspectrogram(y=signal, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=40)
    levels = np.log(np.maximum(power, 1e-8)) / 2
    return librosa.feature.mfcc(S=levels, n_mfcc=CEPSTRA + 1, norm="ortho")[1:] / np.sqrt(40 / 2)


def distortion(one: Signal, other: Signal) -> float:
    """Mel-cepstral distortion in dB, the mean over frames (Kubichek 1993, PACRIM)."""
    a, b = cepstra(one), cepstra(other)
    n = min(a.shape[1], b.shape[1])
    return float(10 / np.log(10) * np.sqrt(2 * np.square(a[:, :n] - b[:, :n]).sum(axis=0)).mean())


def librosas(levels: NDArray[np.floating]) -> Signal:
    power = librosa.db_to_power(levels)
    magnitudes = librosa.feature.inverse.mel_to_stft(power, sr=16_000, n_fft=1024)
    return librosa.griffinlim(magnitudes, n_iter=32, hop_length=voiced.HOP, random_state=0)


def sound(data: Path) -> None:
    files = sorted((data / CORPUS).rglob("*.flac"))[::EVERY]
    ways: dict[str, Callable[[NDArray[np.floating]], Signal]] = {"ours": voiced.sound, "librosa's": librosas}
    found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in ways}
    for file in files:
        spoken = voiced.spoken(audio.read(file))
        levels = voiced.mel(spoken)
        for name, way in ways.items():
            began = time.perf_counter()
            again = way(levels)
            took = time.perf_counter() - began
            n = min(len(spoken), len(again))
            louder = 10 * np.log10(np.square(again[:n]).mean() / np.square(spoken[:n]).mean())
            found[name].append((distortion(spoken[:n], again[:n]), louder, (len(again) - len(spoken)) / 16, took))
    rows = []
    for name, values in found.items():
        apart, louder, longer, took = np.array(values).T
        rows.append(
            [
                name,
                f"{apart.mean():.2f} ({np.quantile(apart, 0.95):.2f})",
                f"{louder.mean():+.2f} ({np.abs(louder).max():.2f})",
                f"{np.abs(longer).max():.0f}",
                f"{1000 * statistics.median(took):.0f}",
            ]
        )
    heads = ["way", "distortion, dB: mean (95th percentile)", "level, dB: mean (largest)", "length, ms: largest", "ms"]
    table(heads, rows)
    print(f"{len(files)} clips of RAVDESS, spectrograms untouched by a network")


def trained(cache: Cache, which: list[str]) -> dict[str, Run]:
    out = {}
    for name in which:
        with bar(name) as show:

            def told(done: int, total: int, show: Callable[..., None] = show, **now: object) -> None:
                show(done, total, message=now.get("message", ""))

            out[name] = autoencoders.train(PLANS[name], cache=cache, progress=told)
    return out


def explained(run: Run) -> float:
    """Share of the variance of the pictures' values, over all clips trained on, that is drawn again."""
    part = run.latents[run.latents["part"] == "train"]
    bands, columns = run.recipe["inputs"]["pictures"]["shape"]
    return 1 - 2 * part["reconstruction"].mean() / (bands * columns)


def figures(cache: Cache, which: list[str]) -> None:
    clips = catalogue.get(cache, CORPUS).clips()
    learnt, carry = [], []
    for name, run in trained(cache, which).items():
        found = latents.carried(run, clips, cache=cache, seed=latents.SEED)
        parts = [run.latents[run.latents["part"] == part]["reconstruction"] for part in ("train", "test")]
        history = run.history
        tenth = len(history) // 10
        last, before = (
            history["reconstruction"].iloc[part].mean() for part in (slice(-tenth, None), slice(-2 * tenth, -tenth))
        )
        learnt.append(
            [
                name,
                f"{run.recipe['n_taught']:,}",
                f"{run.recipe['training']['epochs']:,}",
                f"{parts[0].mean():,.0f}",
                f"{parts[1].mean():,.0f}" if len(parts[1]) else "",
                "" if run.recipe["any_length"] else f"{100 * explained(run):.0f} %",
                f"{100 * (last - before) / before:+.1f} %",
                f"{history['divergence'].iloc[-1]:.1f}",
                f"{run.seconds / 60:.1f}",
            ]
        )
        gaps, sap, told_ = found.information.gaps, found.separated.gaps, found.importance.informativeness
        assert found.emotions is not None
        low, high = found.emotions.interval(scores.uar)
        carry.append(
            [
                name,
                f"{int(found.active.sum())}",
                *(f"{gap:.2f}, {one:.2f}, {100 * uar:.0f}" for gap, one, uar in zip(gaps, sap, told_, strict=True)),
                f"{found.importance.disentanglement:.2f}",
                f"{100 * found.emotions.uar:.1f} ({100 * low:.0f} to {100 * high:.0f})",
            ]
        )
        factors = found.factors
    heads = ["trained on", "clips", "epochs", "reconstruction", "other clips", "of the variance", "last tenth", "KL"]
    table([*heads, "minutes"], learnt)
    table(["trained on", "active", *factors, "DCI", "emotion from the means, unseen speakers, UAR"], carry)
    print("each factor: MIG, SAP, UAR of a random forest on all latents (speakers shared)")


def curve(cache: Cache) -> None:
    """Print the curve of one actor as the README has it."""
    run = next(iter(trained(cache, ["one actor, one sentence"]).values()))
    history = run.history.set_index("epoch")
    rows = [
        [f"{epoch:,}", f"{history.loc[epoch, 'reconstruction']:,.0f}", f"{history.loc[epoch, 'divergence']:.1f}"]
        for epoch in SHOWN
    ]
    table(["epoch", "reconstruction, nats", "KL, nats"], rows)


def scale(cache: Cache) -> None:
    """Train on 24 actors with levels standardised, as here, and as they are in dB; nothing else differs."""
    import torch

    from ser_core.models.training import adam, repeatable
    from ser_core.models.vae import Vae, divergence, drawn, reconstruction

    found = embeddings.embed(catalogue.get(cache, CORPUS), encoder("voiced-mel"), cache=cache)
    levels = torch.tensor(found.vectors[:, 0].reshape(-1, voiced.BANDS, voiced.COLUMNS))
    ways = {"standardised": (levels - levels.mean()) / levels.std(), "in dB, as they are": levels}
    rows = []
    for name, x in ways.items():
        for rate in (1e-3, 1e-4):
            with repeatable("cpu", 1):
                torch.manual_seed(0)
                module = Vae(voiced.BANDS, voiced.COLUMNS)
                optimiser = adam(module, rate)
                for batch in (torch.randint(len(x), (64,)) for _ in range(SHORT)):
                    mean, log_variance = module.encode(x[batch])
                    again = module.decode(drawn(mean, log_variance, torch.randn(mean.shape)))
                    loss = reconstruction(again, x[batch]).mean() + divergence(mean, log_variance).sum(dim=1).mean()
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
            with torch.inference_mode():
                mean, log_variance = module.encode(x)
                left = reconstruction(module.decode(mean), x).mean() / (reconstruction(x.mean(), x).mean())
                kl = divergence(mean, log_variance).sum(dim=1).mean()
            rows.append([name, f"{rate:g}", f"{100 * (1 - left.item()):.0f} %", f"{kl.item():.1f}"])
    table([f"levels, {SHORT:,} steps", "learning rate", "of the variance drawn again", "KL, nats"], rows)


def slider(cache: Cache) -> None:
    """Time it, and compare the spectrogram of what is heard with the picture that it was made of."""
    rows = []
    for run in (one for one in runs.ls(cache) if not one.recognises and one.finished):
        model, random = run.autoencoder(), np.random.default_rng(0)
        means, _ = latents.parameters(run.latents)
        taken, apart, louder = [], [], []
        for _ in range(30):
            values = means[random.integers(len(means))] + 0.3 * random.standard_normal(means.shape[1])
            began = time.perf_counter()
            speakers = [model.speakers[0]] if model.speakers else None
            levels = model.pictures(values[None].astype(np.float32), speakers=speakers)[0]
            signal = voiced.sound(levels)
            audio.wav_bytes(signal)
            taken.append(time.perf_counter() - began)
            again = voiced.mel(signal)
            wanted = levels[:, : again.shape[1]]
            loud = wanted > wanted.max() - 40
            apart.append(np.abs(again - wanted)[loud].mean())
            louder.append(10 * np.log10((10 ** (again / 10)).sum() / (10 ** (wanted / 10)).sum()))
        taken = taken[2:]  # the first ones load what they need
        rows.append(
            [
                run.title,
                f"{statistics.median(taken):.2f} ({max(taken):.2f})",
                f"{np.mean(apart):.1f}",
                f"{np.mean(louder):+.1f} ({np.abs(louder).max():.1f})",
            ]
        )
    heads = ["eight numbers to sound", "s: median (slowest)", "bands, dB apart", "level, dB: mean (largest)"]
    table(heads, rows)


def page(cache: Cache) -> None:
    from place import FLAGS, served
    from playwright.sync_api import sync_playwright

    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    taken, fetched = [], []
    with served(cache) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        shown = browser.new_page(viewport={"width": 1280, "height": 1000})
        shown.set_default_timeout(120_000)
        shown.goto(f"{url}/autoencoder?vae=generator")
        shown.wait_for_selector(PLAYER, state="attached")
        shown.evaluate("() => addEventListener('keydown', () => { window.pressed = performance.now() }, true)")
        handle = shown.get_by_role("slider").first
        handle.focus()
        for _ in range(24):
            shown.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']")
            shown.wait_for_timeout(700)
            before = shown.locator(PLAYER).get_attribute("src")
            began = time.perf_counter()
            handle.press("ArrowRight")
            shown.wait_for_function(LOADED, arg=[PLAYER, before], polling="raf")
            taken.append(time.perf_counter() - began)
            fetched.append(shown.evaluate(FETCHED, PLAYER) / 1000)
        browser.close()
    for name, seconds in {"its file is there": fetched[4:], "it plays": taken[4:]}.items():
        middle, slowest = statistics.median(seconds), max(seconds)
        print(f"slider to sound in the page, until {name}: median {middle:.2f} s, slowest {slowest:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--parts", default="sound,runs,scale,slider,page")
    parser.add_argument("--runs", default=";".join(PLANS), help="which of the runs")
    asked = parser.parse_args()
    cache = Cache(asked.cache.absolute()) if asked.cache else Cache.default()
    if CORPUS not in {one.name for one in catalogue.ls(cache)}:
        catalogue.add(cache, CORPUS, asked.data / CORPUS)
    parts = asked.parts.split(",")
    if "sound" in parts:
        sound(asked.data)
    if "runs" in parts:
        curve(cache)
        figures(cache, asked.runs.split(";"))
    if "scale" in parts:
        scale(cache)
    if "slider" in parts:
        slider(cache)
    if "page" in parts:
        page(cache)


if __name__ == "__main__":
    main()
