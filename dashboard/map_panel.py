"""The map with everything that answers to a click: picture, clip in hand, quality, table. One fragment of the page."""

import hashlib
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from dashboard import clicks, clip_panel, export, links, widgets
from ser_core import emotions, maps, sampling
from ser_core.embeddings import Embeddings
from ser_core.maps import Map
from ser_core.plots import colours
from ser_core.plots import map as map_plot
from ser_core.plots.colours import EMOTION, Colouring
from ser_core.store import key

CHART: Final = "map_figure"
TABLE: Final = "clip_table"
ALT: Final = "Map of clips; the table below lists them all"
MOST_OPTIONS: Final = 5000
"""Clips up to which there is a box for finding one, and the table marks the one in hand: both cost bytes per click."""
NAMED: Final = (EMOTION, "speaker", "corpus", "file")
"""Columns that a clip is named by, and those shown are drawn by."""
CONFIG: Final = {"displaylogo": False, "modeBarButtonsToRemove": ["resetCameraLastSave3d", "orbitRotation", "toImage"]}


@dataclass(frozen=True)
class Scene:
    """What is on the page until a chooser changes: clips, their map, its figure, the clips drawn in it."""

    map_id: str
    found: Embeddings
    drawn: Map
    column: str
    colouring: Colouring
    rows: NDArray[np.int32]
    figure: go.Figure

    @property
    def hidden(self) -> frozenset[str]:
        """Categories that are switched off in the legend."""
        known = {part.name for part in self.colouring.categories} | {colours.NOT_GIVEN}
        return frozenset(st.session_state["_hidden"].get(self.column, ())) & known


def scene(
    found: Embeddings,
    drawn: Map,
    *,
    column: str,
    common: bool,
    overlay: Sequence[go.Scattergl | go.Scatter | go.Scatter3d | go.Mesh3d | go.Surface] = (),
    overlay_id: object = None,
) -> Scene:
    """Put a map together with its figure, which stays the same object until map, colour or overlay change.

    ``overlay`` are traces drawn over the points; ``overlay_id`` stands for all that they depend on beside the map.
    """
    map_id = key(maps.recipe(found, drawn.view))
    settle_view(map_id, drawn.view.n_components)
    _light(found)
    labels = digest(found.clips, [column, *NAMED])  # metadata.csv may change under an open page
    wanted = (map_id, labels, column, common, overlay_id, st.session_state.get("_redraw", 0))
    if st.session_state.get("_scene", (None,))[0] != wanted:
        made = _scene(map_id, found, drawn, column, common)
        made.figure.add_traces(list(overlay))
        st.session_state["_scene"] = (wanted, made)
    return replace(st.session_state["_scene"][1], found=found, drawn=drawn)


def _light(found: Embeddings) -> None:
    """Select the clips that another page wants to be seen here, by their digests."""
    if wanted := st.session_state.pop("_lit", None):
        st.session_state["_picked"] = tuple(row for row, sha in enumerate(found.digests) if sha in wanted)
        st.session_state["_redraw"] = st.session_state.get("_redraw", 0) + 1


def digest(clips: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return a word that stands for what these columns hold, row by row."""
    known = list(dict.fromkeys(columns))
    hashes = pd.util.hash_pandas_object(clips[known].astype(str), index=False).to_numpy(np.uint64)
    return hashlib.sha256(hashes.tobytes()).hexdigest()[:20]


def _scene(map_id: str, found: Embeddings, drawn: Map, column: str, common: bool) -> Scene:  # noqa: FBT001
    colouring = colours.colouring(found.clips, column, common=common)
    rows = sampling.stratified(list(found.clips[EMOTION]), seed=maps.SEED)
    figure = map_plot.figure(
        drawn,
        colouring,
        labels=[clip_label(clip) for clip in found.clips.to_dict("records")],
        rows=rows,
        camera=st.session_state["camera"],
        hidden=st.session_state["_hidden"].get(column, ()),
        picked=st.session_state["_picked"] or None,
    )
    return Scene(map_id, found, drawn, column, colouring, rows, figure)


def forget_camera() -> None:
    """Drop the camera of the map before, so that it does not get into the link of one that is not drawn yet."""
    if st.session_state.get("_view_of") is not None:
        st.session_state["camera"] = None


def clip_label(clip: Mapping[Any, Any]) -> str:
    """Return emotion, speaker, corpus and file of a clip in one line."""
    speaker = str(clip["speaker"])
    corpus = "" if speaker.startswith(f"{clip['corpus']}:") else f"{clip['corpus']} · "
    return f"{clip[EMOTION]} · {corpus}{speaker} · {PurePosixPath(clip['file']).name}"


def settle_view(map_id: str, n_components: int) -> None:
    """Forget camera, legend and selection of another map; take the camera of a link if it is one of this map's kind."""
    before = st.session_state.get("_view_of")
    if before == map_id:
        return
    camera = st.session_state.get("camera") if before is None else None
    if camera is not None:
        wanted = clicks.camera_of(camera)
        if wanted is None or len(wanted) != 2 * n_components:
            wanted = None
            links.note("The link's camera is not one of this map: showing it from the usual side.")
        camera = wanted
    st.session_state.update({"_view_of": map_id, "camera": camera, "_hidden": {}, "_picked": ()})


@st.fragment
def show(scene: Scene, *, under: Callable[[], None]) -> None:
    """Show the map and all that belongs to it, and ``under`` it what the page adds; a click runs only this again."""
    row = clip_panel.row_in_hand(scene.found)
    left, right = st.columns([1.85, 1], gap="medium")
    with left:
        picture(scene)
        under()
    with right:
        clip_panel.show(scene.found, row, drawn=scene.drawn, on_jump=lambda to: clip_panel.take(scene.found, to))
    listen(scene, row, scene.drawn.neighbours[row] if row is not None else None)
    table(scene, row)
    links.publish()


def picture(scene: Scene, *, alt: str = ALT, several: bool = True) -> None:
    """Draw the figure with its caption; ``several`` clips can be chosen at once in 2-D."""
    arguments: dict[str, Any] = {"key": CHART, "config": CONFIG, "alt": alt}
    with st.container(key=clicks.CHART):
        if scene.drawn.view.n_components == 2 and several:
            arguments |= {"on_select": lambda: _select(scene), "selection_mode": ("box", "lasso")}
        st.plotly_chart(scene.figure, **arguments)
    n, total = len(scene.rows), len(scene.found.clips)
    how = "Drag to turn, scroll to zoom, click a point to hear it."
    if scene.drawn.view.n_components == 2:
        how = "Drag to move, click a point to hear it"
        how += "; select several with box or lasso (top right of the picture)." if several else "."
    if n < total:
        how = f"{n:,} of {total:,} clips shown, every emotion in its share{'; the table has all' * several}. {how}"
    legend = "Click a name in the legend to hide it, twice to see it alone."
    if not scene.colouring.legend:
        legend = (
            f"More than {colours.MOST_CATEGORIES} values of {widgets.plain(scene.column)}: no legend, point at a clip."
        )
    axes = ", ".join(map_plot.axis_titles(scene.drawn))
    st.caption(f"{how} {legend} Axes: {axes}.")
    export.picture(clicks.CHART, name="map")


def _select(scene: Scene) -> None:
    """Take what was lassoed: one clip in hand, several into the table."""
    points = st.session_state[CHART]["selection"]["points"]
    found = {point.get("customdata") for point in points}
    rows = sorted(row for row in found if isinstance(row, int) and 0 <= row < len(scene.found.clips))
    if len(rows) == 1:
        clip_panel.take(scene.found, rows[0])
    st.session_state["_picked"] = tuple(rows) if len(rows) > 1 else ()


def listen(scene: Scene, row: int | None, near: NDArray[np.integer] | None, **painted: Any) -> None:
    """Answer to clicks in the figure, and mark the clip in hand, with lines to those that are ``near`` (rows).

    ``painted`` are ``over`` and ``arrows`` of `clicks.listen`.
    """
    xyz = scene.drawn.projection.coordinates
    mark = None if row is None else clicks.Mark(row, xyz[row], xyz[:0] if near is None else xyz[near])

    def turned(camera: tuple[float, ...], hidden: tuple[str, ...]) -> None:
        if len(camera) == 2 * scene.drawn.view.n_components:
            st.session_state["camera"] = camera
            st.session_state["_hidden"][scene.column] = tuple(html.unescape(name) for name in hidden)

    clicks.listen(
        scene.map_id,
        mark,
        sound=clip_panel.sound(scene.found, row),
        n_rows=len(scene.found.clips),
        on_pick=lambda to: clip_panel.take(scene.found, to),
        on_view=turned,
        **painted,
    )


def _listed(scene: Scene) -> NDArray[np.int32]:
    """Return the rows that the table lists: those lassoed, less what the legend hides."""
    keep = np.ones(len(scene.found.clips), bool)
    if picked := st.session_state["_picked"]:
        keep[:] = False
        keep[list(picked)] = True
    for part in scene.colouring.categories:
        if part.name in scene.hidden:
            keep[part.rows] = False
    if scene.colouring.missing is not None and colours.NOT_GIVEN in scene.hidden:
        keep[scene.colouring.missing] = False
    return np.flatnonzero(keep).astype(np.int32)


def table(scene: Scene, row: int | None) -> None:
    """List the clips, and take in hand the one that is chosen."""
    rows = _listed(scene)
    clips = scene.found.clips.iloc[rows]
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        st.subheader(f"Clips ({len(rows):,} of {len(scene.found.clips):,})", anchor=False)
        if st.session_state["_picked"]:
            mixed = len(set(clips["corpus"])) > 1
            counts = (clips[EMOTION].map(emotions.common_name) if mixed else clips[EMOTION]).value_counts()
            st.text(f"{len(rows):,} selected: " + ", ".join(f"{word} {count}" for word, count in counts.items()))
            if st.button("Show all clips"):
                _show_all()
    with right:
        _find(scene, rows)
    listed = len(rows) <= MOST_OPTIONS
    wanted: Any = {"selection": {"rows": []}}
    if listed:
        wanted = widgets.mark(TABLE, np.flatnonzero(rows == row).tolist())

    def chosen() -> None:
        picked = st.session_state[TABLE]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            clip_panel.take(scene.found, int(rows[picked[0]]))

    st.dataframe(
        _ordered(clips),
        hide_index=True,
        key=TABLE,
        on_select=chosen,
        selection_mode="single-row",
        selection_default=wanted,
        height=360,
        placeholder="",
    )
    export.table(clips, name="clips")


def _ordered(clips: pd.DataFrame) -> pd.DataFrame:
    first = [name for name in (EMOTION, "speaker", "gender", "intensity", "corpus") if name in clips]
    last = [name for name in clips.columns if name not in (*first, "file")]
    table = clips[[*first, *last, "file"]].reset_index(drop=True)
    words = [name for name in (*first, *last) if pd.api.types.is_string_dtype(table[name])]
    return table.astype(dict.fromkeys(words, "category"))  # travels as numbers: the table is sent with every choice


def _find(scene: Scene, rows: NDArray[np.int32]) -> None:
    if len(rows) > MOST_OPTIONS:
        return
    records = scene.found.clips.to_dict("records")

    def found() -> None:
        if (row := st.session_state["_find"]) is not None:
            clip_panel.take(scene.found, int(row))
            st.session_state["_find"] = None

    st.selectbox(
        "Find a clip",
        [int(row) for row in rows],
        index=None,
        format_func=lambda row: clip_label(records[row]),
        placeholder="file, speaker or emotion",
        key="_find",
        on_change=found,
    )


def _show_all() -> None:
    """Drop the selection, and draw the figure anew without it."""
    st.session_state["_picked"] = ()
    st.session_state["_redraw"] = st.session_state.get("_redraw", 0) + 1
    st.rerun()
