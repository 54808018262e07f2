import numpy as np
import pandas as pd
import pytest
from figures import clear

from ser_core import spectrogram
from ser_core.plots import attributions as plot

TABLE = pd.DataFrame(
    {
        "group": ["a", "b", "c"],
        "words": ["energy", "<b>pitch</b>", "tempo"],
        "n_values": [2, 1, 3],
        "drop": [0.02, 0.2, -0.01],
        "low": [0.01, 0.15, -0.02],
        "high": [0.03, 0.25, 0.01],
    }
)
TONE = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.float32)
CLIP = spectrogram.mel_spectrogram(TONE)
SECONDS = (np.arange(50) + 0.5) / 50
VALUES = np.random.default_rng(0).normal(size=(128, 50))


def drawn(values=VALUES):
    _, centres = spectrogram.mel_bands(1024, 16_000, len(values))
    return plot.saliency(CLIP, values, seconds=SECONDS, hertz=centres)


def test_the_group_that_is_missed_most_is_above():
    figure = plot.importance(TABLE)
    bars, spans = figure.data
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == [
        "&lt;b&gt;pitch&lt;/b&gt; (1)", "energy (2)", "tempo (3)",
    ]  # fmt: skip
    assert list(bars.x) == pytest.approx([20, 2, -1])
    assert list(bars.y) == [0, 1, 2]
    assert tuple(figure.layout.yaxis.range) == (2.5, -0.5)
    assert [x for x in spans.x if x is not None] == pytest.approx([15, 25, 1, 3, -2, 1])
    assert bars.text[0].startswith("<b>&lt;b&gt;pitch&lt;/b&gt;</b>, 1 value<br>")
    assert bars.text[0].endswith("UAR without it: \u221220.0 points (\u221225.0 to \u221215.0)")
    assert "2 values" in bars.text[1]
    clear(figure)


def test_evidence_lies_over_the_spectrogram_in_time_and_frequency():
    figure = drawn()
    under, over = figure.data
    assert np.abs(under.z - CLIP.decibels).max() <= 0.5
    assert np.array_equal(over.x, SECONDS)
    # a row at 1 kHz lies on the band of the spectrogram that is loud with a tone of 1 kHz
    _, centres = spectrogram.mel_bands(1024, 16_000, 128)
    loud = int(CLIP.decibels.mean(axis=1).argmax())
    at = float(np.interp(1000, centres, np.asarray(over.y)))
    assert abs(at - loud) < 0.6
    assert (np.diff(np.asarray(over.y)) > 0).all()
    assert over.y[0] < 0  # finer bands begin below the coarser ones
    ticks = dict(zip(figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals, strict=True))
    assert abs(ticks["1 kHz"] - loud) < 0.6
    assert figure.layout.xaxis.range[0] == 0
    assert figure.layout.xaxis.range[1] == pytest.approx(1.0, abs=0.02)
    clear(figure)


def test_strong_places_are_of_one_colour_and_nothing_is_seen_through():
    values = np.zeros((128, 50))
    values[:40, :30], values[60:, 40:] = 2.0, -1.0
    values[5, 5] = 1000.0  # one point must not make the others vanish
    over = drawn(values).data[1]
    assert (over.zmin, over.zmax) == (-1, 1)
    assert over.z[5, 5] == over.z[0, 0] == 1.0
    assert over.z[100, 45] == pytest.approx(-0.5)
    assert over.z[50, 0] == 0
    ends = dict(over.colorscale[::3])
    assert (ends[0.0], ends[1.0]) == (f"rgba({plot.AGAINST},0.95)", f"rgba({plot.FOR},0.95)")
    assert {colour.rsplit(",", 1)[1] for at, colour in over.colorscale[1:3]} == {"0)"}


def test_a_picture_that_does_nothing_is_drawn():
    assert not np.asarray(drawn(np.zeros((128, 50))).data[1].z).any()
