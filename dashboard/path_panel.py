"""A clip over time: the way of its windows over the map and Russell's plane, in step with a player."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import export, follow, map_panel, uploads, widgets
from ser_core import audio, maps, sampling, unseen, windows
from ser_core.plots import colours
from ser_core.plots import path as plots
from ser_core.plots.colours import EMOTION

if TYPE_CHECKING:
    from dashboard.place_data import Look
    from ser_core.tracks import Track

PLAYER: Final = "path_player"
MAP, PLANE, TIME = "path_map", "path_plane", "path_time"
"""Keys of the containers of the three charts."""
CONFIG: Final = {"displaylogo": False, "displayModeBar": False}
USUAL: Final = (1.5, 1.25)
"""Valence and arousal up to which is in sight at least: Russell's circle with its words."""
MARGIN: Final = 1.1


def show(look: "Look") -> None:
    """Show the way of a clip from `windows.FROM` seconds on; of a shorter one say that it has none."""
    track = look.placed.path
    if track is None:
        st.info(
            f"This clip lasts {look.upload.clip.seconds:.1f} s. A way over time needs at least {windows.FROM:g} s, so "
            f"that windows of {windows.WINDOW:g} s can move through it."
        )
        return
    if not np.isfinite(track.points).all(axis=1).any():
        st.info("No window of this clip could be encoded: it may be silent for the most part.")
        return
    _player(look)
    _pictures(look, track)
    nearest, far = _nearest(look)
    _against_time(look, track, nearest, far)
    _table(look, track, nearest)
    rings: dict[str, NDArray[np.floating]] = {MAP: track.points}
    if track.affect is not None:
        rings[PLANE] = track.affect
    drawn = track.affect is not None or nearest is not None
    follow.tie(PLAYER, rings, seconds=track.seconds, line=TIME if drawn else None)


def _player(look: "Look") -> None:
    clip = look.upload.clip
    made = uploads.remember(look.upload, "wav", lambda: audio.wav_bytes(clip.signal, clip.sampling_rate))
    with st.container(key=PLAYER):
        st.audio(made)
    st.caption("While it plays, a ring moves along the path. Click or drag in the time chart to move the player there.")


def _pictures(look: "Look", track: "Track") -> None:
    if track.affect is None:
        _map(look, track)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _map(look, track)
    with right:
        _plane(look, track)


def _map(look: "Look", track: "Track") -> None:
    clips, drawn = look.atlas.found.clips, look.atlas.ground.drawn
    rows = sampling.stratified(list(clips[EMOTION]), seed=maps.SEED)
    how = "" if look.atlas.ground.exact else ", each window by its neighbours"
    st.markdown(f"**Through the map** ({widgets.METHODS[drawn.view.method]}{how})")
    colouring = colours.colouring(clips, EMOTION, common=len(look.atlas.names) > 1)
    figure = plots.through_map(drawn, colouring, track.points, seconds=track.seconds, rows=rows)
    with st.container(key=MAP):
        st.plotly_chart(figure, key="path_map_figure", config=map_panel.CONFIG, alt="Path of the clip through the map")
    export.picture(MAP, name="path-map")


def _plane(look: "Look", track: "Track") -> None:
    assert track.affect is not None
    st.markdown("**Over Russell's plane**")
    figure = plots.over_plane(track.affect, seconds=track.seconds, limits=_limits(track.affect))
    with st.container(key=PLANE):
        st.plotly_chart(figure, key="path_plane_figure", config=CONFIG, alt="Path of the clip over Russell's plane")
    export.picture(PLANE, name="path-plane")


def _nearest(look: "Look") -> tuple[list[str] | None, int | None]:
    """Return the emotion that each window is nearest to, "" for a window without a place; None if none are known.

    And how many windows are out of distribution, None where that cannot be told.
    """
    yardstick, view, checked = look.atlas.yardstick, look.atlas.ground.drawn.view, look.atlas.unseen
    if yardstick is None:
        return None, None
    vectors = look.vectors.windows[:, view.layer]
    known = np.isfinite(vectors).all(axis=1)
    words = np.full(len(vectors), "", object)
    distances = yardstick.measure(look.atlas.ground.drawn.scaler.scale(vectors[known]))
    words[known] = np.array(yardstick.names, object)[distances.argmin(axis=1)]
    if checked is None:
        return words.tolist(), None
    return words.tolist(), sum(checked.further(one) > unseen.OUTLYING for one in distances.min(axis=1).tolist())


def _against_time(look: "Look", track: "Track", nearest: list[str] | None, far: int | None) -> None:
    if track.affect is None and nearest is None:
        _caption(look, track, band=False)
        return
    region = look.atlas.plane.region if look.atlas.plane else None
    half_widths = region.half_widths if region else None
    st.markdown("**Arousal and valence against time**" if track.affect is not None else "**Nearest emotion over time**")
    length = look.upload.clip.seconds
    figure = plots.against_time(
        track.affect, seconds=track.seconds, length=length, half_widths=half_widths, nearest=nearest
    )
    alt = "Arousal, valence and nearest emotion against time; the table of windows below has the numbers"
    with st.container(key=TIME):
        st.plotly_chart(figure, key="path_time_figure", config=CONFIG, alt=alt)
    _caption(look, track, band=half_widths is not None and track.affect is not None)
    if nearest is not None:
        st.caption(_strip(look, far, n=len(nearest)))
    export.picture(TIME, name="path-time")


def _caption(look: "Look", track: "Track", *, band: bool) -> None:
    """Say what a window is, and what cannot be read from it."""
    starts = track.seconds[:, 0]
    hop = float(np.median(np.diff(starts))) if len(starts) > 1 else windows.HOP
    length = float(np.median(np.diff(track.seconds, axis=1)))
    lost = int((~np.isfinite(track.points).all(axis=1)).sum())
    shared = max(0.0, 100 * (1 - hop / length))
    parts = [f"{len(track.seconds)} windows of {length:.3g} s, one every {hop:.2g} s."]
    if shared:
        parts.append(f"Neighbours share {shared:.0f} % of their sound: the way is smoother than the voice.")
    parts.append("Colour is time, from dark at the start to light at the end.")
    if lost:
        parts.append(f"Gaps: {lost} windows are silent or could not be encoded.")
    teacher = look.atlas.plane.teacher if look.atlas.plane else ""
    if track.affect is not None and teacher:
        parts.append(
            f"Valence and arousal were learnt from whole clips ({widgets.plain(teacher)}), not from windows: trust the "
            "course, not the level."
        )
    if band:
        parts.append(
            "Grey band: for 95 % of whole clips by speakers that were not heard before, the label lies this near. It "
            "is one window's uncertainty; of a window cut from a clip it is rather larger."
        )
    if track.affect is None or not teacher:
        parts.append("Windows are shorter than the clips of the corpus: trust the course, not the level.")
    st.caption(" ".join(parts))


def _strip(look: "Look", far: int | None, *, n: int) -> str:
    """Say what the strip of emotions is, and how far to trust it."""
    said = "Strip: the emotion that each window is nearest to (Mahalanobis)"
    if look.atlas.unseen is None or far is None:
        return f"{said}; how often that is right is not known."
    uar = next(one.evaluation.uar for one in look.atlas.unseen.answers if one.name == "mahalanobis")
    said += f", right in {100 * uar:.0f} % of whole clips by unseen speakers (UAR), not known for windows."
    line = f"further from every emotion than {100 * unseen.OUTLYING:.0f} % of the corpus's whole clips"
    if not far:
        return f"{said} No window is {line}."
    are = "window is" if far == 1 else "windows are"
    return f"{said} {far} of {n} {are} unlike everything here ({line}): the emotion named there means little."


def _table(look: "Look", track: "Track", nearest: list[str] | None) -> None:
    """List the windows: what the pictures show, as numbers."""
    columns: dict[str, Any] = {"from (s)": track.seconds[:, 0], "to (s)": track.seconds[:, 1]}
    if track.affect is not None:
        columns |= {"valence": track.affect[:, 0], "arousal": track.affect[:, 1]}
    if nearest is not None:
        columns["nearest emotion"] = nearest
    method = look.atlas.ground.drawn.view.method.upper()
    for number in range(track.points.shape[1]):
        columns[f"{method} {number + 1}"] = track.points[:, number]
    rows = pd.DataFrame(columns)
    with st.expander(f"Table of the {len(rows)} windows"):
        two = st.column_config.NumberColumn(format="%.2f")
        numbers = {name: two for name in rows.columns if name != "nearest emotion"}
        st.dataframe(rows, hide_index=True, key="path_table", column_config=numbers)
        export.table(rows, name="path")


def _limits(affect: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return what of the plane is in sight: Russell's circle and the whole path."""
    (left, down), (right, up) = MARGIN * np.nanmin(affect, axis=0), MARGIN * np.nanmax(affect, axis=0)
    return min(-USUAL[0], left), max(USUAL[0], right), min(-USUAL[1], down), max(USUAL[1], up)
