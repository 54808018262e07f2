"""Two maps of the same clips beside each other: a click in one is seen in both, and both are turned together."""

import html
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import between_panel, clicks, clip_panel, export, links, map_panel, widgets
from dashboard.between_data import Asked
from dashboard.between_panel import LETTERS, Side
from dashboard.map_panel import Scene
from ser_core import maps, sampling
from ser_core.between import Between, Pair
from ser_core.geometry.projection import Projection
from ser_core.geometry.similarity import Fit
from ser_core.maps import Map
from ser_core.plots import between as plots
from ser_core.plots import colours
from ser_core.plots import map as map_plot
from ser_core.plots.colours import EMOTION
from ser_core.store import key

CHARTS: Final = ("map_a", "map_b")
"""Keys of the containers that hold the maps."""
ROOM: Final = 0.03
"""What is left free around both maps, as a share of them."""
DISTANCE: Final = 1.3
"""How far the eye is, in diagonals of the box that holds both maps."""
LOWER: Final = (0.0, 0.0, -0.15)
"""Where it looks, from the middle of the box: seen from above, the box then stands in the middle of the picture."""
EMPTY: Final = (
    "Click a point in either map to hear its clip, to see where it lies in the other, and which clips are nearest to "
    "it in both. With the keyboard: choose a row of the table below, or find a clip by name."
)


def drawn(found: Pair, both: Sequence[Map], alike: Between, fit: Fit) -> tuple[Map, Map]:
    """Return the maps of the clips that both have, that of B laid on that of A, with the neighbours among those."""
    points = (
        both[0].projection.coordinates[found.rows_a],
        fit.apply(both[1].projection.coordinates[found.rows_b]).astype(np.float32),
    )
    first, second = (
        replace(one, projection=Projection(at, None), neighbours=near[0], distances=near[1], quality=None)
        for one, at, near in zip(both, points, (alike.near_a, alike.near_b), strict=True)
    )
    return first, second


def scenes(
    found: Pair, both: tuple[Map, Map], titles: tuple[list[str], list[str]], *, column: str, common: bool
) -> tuple[Scene, Scene]:
    """Put both maps together with their figures, which stay the same objects until maps or colours change."""
    map_id = key({"a": maps.recipe(found.a, both[0].view), "b": maps.recipe(found.b, both[1].view)})
    map_panel.settle_view(map_id, both[0].view.n_components)
    labels = map_panel.digest(found.a.clips, [column, *map_panel.NAMED])
    wanted = (map_id, labels, column, common, st.session_state.get("_redraw", 0))
    if st.session_state.get("_pair_scene", (None,))[0] != wanted:
        st.session_state["_pair_scene"] = (wanted, _scenes(map_id, found, both, titles, column, common))
    first, second = st.session_state["_pair_scene"][1]
    return replace(first, found=found.a, drawn=both[0]), replace(second, found=found.b, drawn=both[1])


def _scenes(
    map_id: str,
    found: Pair,
    both: tuple[Map, Map],
    titles: tuple[list[str], list[str]],
    column: str,
    common: bool,  # noqa: FBT001
) -> tuple[Scene, Scene]:
    colouring = colours.colouring(found.a.clips, column, common=common)
    rows = sampling.stratified(list(found.a.clips[EMOTION]), seed=maps.SEED)
    labels = [map_panel.clip_label(clip) for clip in found.a.clips.to_dict("records")]
    span, camera = _view(both)
    hidden = st.session_state["_hidden"].get(column, ())
    out = []
    for one, names in zip(both, titles, strict=True):
        figure = map_plot.figure(one, colouring, labels=labels, rows=rows, camera=camera, hidden=hidden)
        plots.dress(figure, span=span, titles=names)
        out.append(Scene(map_id, found.a, one, column, colouring, rows, figure))
    return out[0], out[1]


def _view(both: tuple[Map, Map]) -> tuple[NDArray[np.float64], tuple[float, ...] | None]:
    """Return the ends of the axes that hold both maps, (n_components, 2), and where to look from in 3-D."""
    camera = st.session_state["camera"]
    points = np.concatenate([one.projection.coordinates for one in both])
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    span = np.column_stack([low - ROOM * (high - low), high + ROOM * (high - low)])
    if len(span) == 3:
        return span, camera or _camera(span)
    return (span if camera is None else np.reshape(camera, (2, 2))), None


def _camera(span: NDArray[np.float64]) -> tuple[float, ...]:
    """Return a camera that sees the whole box, outliers too: both maps are in it, and their axes have titles."""
    lengths = np.maximum(span[:, 1] - span[:, 0], 1e-9)
    diagonal = float(np.linalg.norm(lengths / np.cbrt(np.prod(lengths))))  # in plotly's unit of length in a scene
    eye = DISTANCE * diagonal * np.array(map_plot.VIEWPOINT) / np.linalg.norm(map_plot.VIEWPOINT)
    return (*(eye + LOWER).round(3).tolist(), *LOWER)


@st.fragment
def show(asked: Asked, sides: tuple[Side, Side], *, under: Callable[[], None]) -> None:
    """Show both maps, the clip in hand, ``under`` it what the page adds, the table; a click runs only this again."""
    scene = sides[0].scene
    row = clip_panel.row_in_hand(scene.found)
    for part in (_title, _map, _note, partial(between_panel.numbers, asked)):  # in rows, so that they stand level
        for column, side in zip(st.columns(2, gap="medium"), sides, strict=True):
            with column:
                part(side)
    _clip(sides, row)
    under()
    for side in sides:
        _listen(side, row)
    map_panel.table(scene, row)
    links.publish()


def _title(side: Side) -> None:
    st.markdown(f"**{side.letter}** · {widgets.plain(side.words)}")


def _map(side: Side) -> None:
    chart = CHARTS[side.number]
    with st.container(key=chart):
        alt = f"Map of the clips by {side.words}; the table below lists them all"
        st.plotly_chart(side.scene.figure, key=f"{chart}_figure", config=map_panel.CONFIG, alt=alt)
    export.picture(chart, name=f"map-{side.letter}")


def _note(side: Side) -> None:
    st.caption(side.note)


def _clip(sides: tuple[Side, Side], row: int | None) -> None:
    """Show the clip in hand, and beside it its nearest clips in either space."""
    scene = sides[0].scene
    n, total = len(scene.rows), len(scene.found.clips)
    shown = f"{n:,} of {total:,} clips shown, every emotion in its share. " if n < total else ""
    st.caption(
        f"{shown}Drag to turn both maps, scroll to zoom, click a point to hear it and to find it in both. A name in "
        "the legend hides it in both."
    )
    if row is None:
        st.markdown("**Clip in hand**")
        st.caption(EMPTY)
        return
    left, *columns = st.columns([1.1, 1, 1], gap="medium")
    with left:
        clip_panel.beside(scene.found, row)
    near = [set(side.scene.drawn.neighbours[row].tolist()) for side in sides]
    shared = near[0] & near[1]
    for column, side in zip(columns, sides, strict=True):
        with column:
            st.markdown(f"**Nearest in {side.letter}**")
            jump = partial(clip_panel.take, side.scene.found)
            name = f"near_{side.letter.lower()}"
            clip_panel.neighbours(side.scene.found, row, side.scene.drawn, on_jump=jump, name=name, filled=shared)
    with columns[0]:
        st.caption(f"{len(shared)} of {len(near[0])} are nearest in both: the full circles.")


def _listen(side: Side, row: int | None) -> None:
    """Answer to clicks in a map, and mark the clip in hand in it; the sound is started once, by the first."""
    scene, n_components = side.scene, side.scene.drawn.view.n_components
    xyz = scene.drawn.projection.coordinates
    mark = None if row is None else clicks.Mark(row, xyz[row], xyz[scene.drawn.neighbours[row]])
    sound = clip_panel.sound(scene.found, row)

    def turned(camera: tuple[float, ...], hidden: tuple[str, ...]) -> None:
        if len(camera) == 2 * n_components:
            st.session_state["camera"] = camera
            st.session_state["_hidden"][scene.column] = tuple(html.unescape(name) for name in hidden)

    clicks.listen(
        scene.map_id,
        mark,
        sound=sound if side.letter == LETTERS[0] else replace(sound, on=False),
        n_rows=len(scene.found.clips),
        chart=CHARTS[side.number],
        twin=CHARTS[1 - side.number],
        on_pick=lambda to: clip_panel.take(scene.found, to),
        on_view=turned,
    )
