"""Pictures of autoencoders: every number where it belongs."""

import numpy as np
import pandas as pd
import pytest
from figures import clear

from ser_core.plots import vae as plot

RNG = np.random.default_rng(0)


def history(*, others: bool) -> pd.DataFrame:
    table = pd.DataFrame(
        {"epoch": [10, 20, 30], "reconstruction": [900.0, 400.0, 100.0], "divergence": [1.0, 5.0, 9.0]}
    )
    seen = [950.0, np.nan, 500.0] if others else [np.nan] * 3
    return table.assign(other_reconstruction=seen, other_divergence=seen)


def test_losses_of_other_clips_are_drawn_where_they_were_measured():
    figure = plot.losses(history(others=True))
    first, other, *_ = figure.data
    assert (list(first.x), list(first.y)) == ([10, 20, 30], [900, 400, 100])
    assert (list(other.x), list(other.y)) == ([10, 30], [950, 500])
    assert [trace.name for trace in figure.data] == ["clips trained on", "other clips"] * 2
    assert [trace.name for trace in plot.losses(history(others=False)).data] == ["clips trained on"] * 2
    clear(figure)


@pytest.mark.parametrize("across", [1, 2])
def test_each_clip_is_a_point_of_each_latent(across):
    means, deviations = RNG.normal(size=(20, 4)), RNG.random((20, 4))
    words = ["angry", "<b>sad</b>"] * 10
    figure = plot.clouds(
        means, deviations, words, latents=[2, 0], separation=np.array([0.1, 0, 0.42, 0]), across=across
    )
    assert [note.text for note in figure.layout.annotations] == ["latent 2, η² 42 %", "latent 0, η² 10 %"]
    assert len(figure.data) == 4
    for trace in figure.data:
        rows = np.asarray(trace.customdata)
        latent = 2 if trace.xaxis == "x" else 0
        assert np.allclose(trace.x, means[rows, latent])
        assert np.allclose(trace.y, deviations[rows, latent])
        assert {words[row] for row in rows} == {"angry"} if trace.name == "angry" else {"<b>sad</b>"}
    assert "&lt;b&gt;sad&lt;/b&gt;" in {trace.name for trace in figure.data}


def test_a_strip_has_one_scale():
    pictures = np.stack([np.full((4, 6), level, np.float32) for level in (-70.2, -20.6, -40.0)])
    figure = plot.strip(pictures, ["-1", "0", "1"])
    assert [int(np.asarray(trace.z).max()) for trace in figure.data] == [-70, -21, -40]
    assert figure.layout.coloraxis.cmax == pytest.approx(-20.6, abs=1e-4)
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}


def test_what_is_carried_stands_beside_chance():
    shares, chance = np.array([[0.2, 0.0], [0.054, 0.4]]), np.full((2, 2), 0.021)
    figure = plot.carried(shares, chance, ["emotion", "<i>x</i>"])
    (heat,) = figure.data
    assert np.asarray(heat.text).tolist() == [["20", "0"], ["5", "40"]]
    assert heat.customdata[1][0] == "latent 1, emotion: 5.4 %<br>chance: 2.1 %"
    assert list(figure.layout.xaxis.ticktext) == ["emotion", "&lt;i&gt;x&lt;/i&gt;"]
    clear(figure)
