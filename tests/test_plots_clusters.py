import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from ser_core.emotions import EMOTIONS
from ser_core.geometry import density
from ser_core.geometry.density import Densities, Density, Gaussian, Overlap
from ser_core.geometry.projection import Projection, Scaler
from ser_core.geometry.separation import Share
from ser_core.maps import Map, View
from ser_core.plots import clusters, colours
from ser_core.plots import map as map_plot

HOSTILE = "<a href='x'>joy</a>"
INKS = {name: emotion.colour for name, emotion in EMOTIONS.items()} | {HOSTILE: "#123456"}


def covariance(d: int) -> NDArray[np.float64]:
    root = np.random.default_rng(d).normal(size=(d, d))
    return root @ root.T + np.eye(d)


def clouds(d: int) -> Densities:
    parts = [Gaussian(np.full(d, float(at)), covariance(d), 0.5) for at in (0, 3)]
    return Densities((Density("anger", tuple(parts), 40), Density("sadness", (parts[1],), 20)), (("fear", "1 clip"),))


def points(d: int, *, hidden: tuple[str, ...] = ()) -> go.Figure:
    words = np.array(["angry", "sad", "angry", "unknown", "sad"])
    xyz = np.random.default_rng(0).normal(size=(5, d)).astype(np.float32)
    none = np.zeros((5, 1), np.float32)
    view, scaler = View(0, "pca", d, "centre", 0), Scaler(np.zeros(d), np.ones(d))
    drawn = Map(view, Projection(xyz, np.full(d, 0.3)), none.astype(np.int32), none, None, scaler)
    colouring = colours.colouring(pd.DataFrame({"emotion": words}), "emotion", common=True)
    return map_plot.figure(drawn, colouring, labels=words, rows=np.arange(5, dtype=np.int32), hidden=hidden)


def outlines(d: int, *levels: float, names: tuple[str, ...] = ("anger", "sadness")):
    return clusters.outlines(clouds(d), levels=levels or (0.9,), names=names, inks=INKS)


@pytest.mark.parametrize("d", [2, 3])
def test_every_part_is_outlined_at_its_chi_square_distance(d: int) -> None:
    traces = outlines(d, 0.5, 0.9, 0.95)
    assert [trace.name for trace in traces] == ["anger"] * 6 + ["sadness"] * 3
    components = [part for one in clouds(d).parts for part in one.components for _ in range(3)]
    for trace, part, level in zip(traces, components, (0.95, 0.9, 0.5) * 3, strict=True):
        place = np.column_stack([trace.x, trace.y, trace.z] if d == 3 else [trace.x, trace.y]) - part.mean
        distance = np.einsum("nd,de,ne->n", place, np.linalg.inv(part.covariance), place)
        assert distance == pytest.approx(np.full(len(place), chi2.ppf(level, d)), rel=1e-4)  # float32
        assert (trace.line.color if d == 2 else trace.color) == EMOTIONS[trace.name].colour


@pytest.mark.parametrize("d", [2, 3])
def test_outlines_are_no_clips(d: int) -> None:
    for trace in outlines(d):
        assert trace.hoverinfo == "skip"
        assert trace.customdata is None
        assert not trace.showlegend


def test_an_ellipsoid_is_closed() -> None:
    trace = outlines(3)[0]
    corners = np.column_stack([trace.x, trace.y, trace.z])
    triangles = corners[np.column_stack([trace.i, trace.j, trace.k])]
    part = clouds(3).parts[0].components[0]
    radius = np.sqrt(chi2.ppf(0.9, 3))
    volume = abs(np.linalg.det(triangles - part.mean).sum()) / 6  # all triangles face one way, and none is missing
    assert volume == pytest.approx(4 / 3 * np.pi * radius**3 * np.sqrt(np.linalg.det(part.covariance)), rel=0.03)


def test_only_chosen_emotions_are_outlined_and_few_are_denser() -> None:
    assert {trace.name for trace in outlines(2, names=("sadness", "fear"))} == {"sadness"}
    many = Densities(tuple(Density(name, clouds(3).parts[1].components, 9) for name in EMOTIONS), ())
    (thin,) = {trace.opacity for trace in clusters.outlines(many, levels=(0.9,), names=list(EMOTIONS), inks=INKS)}
    assert outlines(3)[0].opacity == 2 * thin


@pytest.mark.parametrize("d", [2, 3])
def test_outlines_go_with_their_points_and_others_fade(d: int) -> None:
    figure = points(d, hidden=("sadness",)).add_traces(outlines(d))
    clusters.dress(figure, names=["anger"])
    traces = {(trace.name, trace.meta): trace for trace in figure.data}
    assert traces["anger", None].legendgroup == traces["anger", clusters.OUTLINE].legendgroup
    assert traces["sadness", clusters.OUTLINE].visible == "legendonly"
    assert traces["anger", clusters.OUTLINE].visible is True
    assert traces["anger", None].opacity == 1
    assert traces["sadness", None].opacity == traces[colours.NOT_GIVEN, None].opacity == clusters.FADED
    before = figure.to_json()
    clusters.dress(figure, names=["anger"])
    assert figure.to_json() == before
    clusters.dress(figure, names=None)
    assert {trace.opacity for trace in figure.data if trace.customdata is not None} == {1}


def test_shares_are_bars_with_intervals_that_need_not_hold_the_bar() -> None:
    found = [
        Share("emotion", 3, 0.5, 0.4, 0.3, (0.45, 0.6), (0.2, 0.4)),
        Share("speaker", 9, 0.3, 0.1, 0.0, (0.1, 0.2), (0.0, 0.0)),
        Share("gender", 2, 0.1, 0.1, 0.0, None, None),
    ]
    bars, whiskers, added = clusters.shares(found).data
    assert list(bars.x) == [50, 30, 10]
    assert list(added.x) == [30, 0, 0]
    assert bars.marker.color[0] != bars.marker.color[1] == bars.marker.color[2]
    assert list(whiskers.x) == [45, 60, None, 10, 20, None]
    assert list(whiskers.y) == ["emotion", "emotion", None, "speaker", "speaker", None]


def test_silhouettes_have_the_colours_of_emotions() -> None:
    figure = clusters.silhouettes(["anger", HOSTILE], [-0.2, 0.3], [(-0.3, 0.1), None], inks=INKS)
    bars, whiskers = figure.data
    assert list(bars.marker.color) == [EMOTIONS["anger"].colour, "#123456"]
    assert list(whiskers.x) == [-0.3, 0.1, None]
    assert "<a" not in figure.to_json()


def test_overlap_is_a_matrix_in_the_colours_of_distance() -> None:
    values = np.array([[1, 0.8, 0.25], [0.8, 1, 0.5], [0.25, 0.5, 1]])
    found = Overlap(("anger", "fear", HOSTILE), values, np.zeros((3, 3)))
    figure = clusters.overlap(found, marked=("anger", "fear"))
    cells, squares = figure.data[0], figure.data[-1]
    drawn, apart = np.array(cells.z), ~np.eye(3, dtype=bool)
    assert np.isnan(np.diag(drawn)).all()
    assert np.array_equal(drawn[apart], 1 - values[apart])  # green is far, as on the page of distances
    written = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert written == {(i, j): f"{values[i, j]:.2f}" for i, j in np.argwhere(apart)}
    assert squares.text[3 * 0 + 1] == "anger and fear: 0.80"
    assert squares.text[3 * 1 + 2] == f"fear and {colours.shown(HOSTILE)}: 0.50"
    assert len(figure.layout.shapes) == 2
    assert not clusters.overlap(found, marked=None).layout.shapes
    assert "<a" not in figure.to_json()


def test_pictures_are_see_through_and_keep_their_size() -> None:
    found = Overlap(("anger", "fear"), np.eye(2), np.zeros((2, 2)))
    share = Share("emotion", 3, 0.5, 0.4, 0.3, None, None)
    for figure in (
        clusters.shares([share]),
        clusters.silhouettes(["anger"], [0.1], [None], inks=INKS),
        clusters.overlap(found, marked=None),
    ):
        layout = json.loads(figure.to_json())["layout"]
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert layout["height"] > 0


def test_levels_all_have_a_look() -> None:
    assert set(clusters.LOOK) == set(density.LEVELS)
