"""Clicks in the map, and the ring around the clip in hand: the bridge between the page and the plotly chart.

Streamlit itself reports no clicks in 3-D charts, and any change to a figure would reset its camera. So the figure stays
as it is, and a small component (``clicks.js``) listens to it and paints on it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.components.v2 import component

KEY: Final = "map_bridge"
CHART: Final = "map_chart"
"""Key of the container that holds the chart."""

_mount = component("ser_atlas_clicks", js=Path(__file__).with_suffix(".js").read_text("utf-8"))


@dataclass(frozen=True)
class Mark:
    """What to paint: the row in hand, its place, and those of its neighbours; shapes (n_components,) and (k, same)."""

    row: int
    place: NDArray[np.float32]
    neighbours: NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """The player to start: the key of its container, and a count that grows with every choice of a clip."""

    player: str
    count: int
    on: bool


def listen(
    map_id: str,
    mark: Mark | None,
    *,
    sound: Sound,
    n_rows: int,
    chart: str = CHART,
    twin: str = "",
    over: Sequence[Mapping[str, Any]] = (),
    arrows: Sequence[Mapping[str, Any]] = (),
    on_pick: Callable[[int], None],
    on_view: Callable[[tuple[float, ...], tuple[str, ...]], None],
) -> None:
    """Listen to the chart in the container ``chart``, and paint on it.

    ``twin`` is the container of another chart of the same clips on the same axes: camera and legend of the one go to
    the other.

    ``over`` is what goes into traces that the figure has empty (`ser_core.plots.landing.on_map`), ``arrows`` point into
    a 3-D map: changing them leaves chart and camera as they are.

    ``on_pick`` gets the row of a clicked point; ``on_view`` the camera (six numbers in 3-D, four in 2-D) and the names
    switched off in the legend, when the view has come to rest. Messages about another map than ``map_id`` are dropped.
    """
    key = KEY if chart == CHART else f"{KEY}_{chart}"

    def picked() -> None:
        row = _message(key, "pick", map_id).get("row")
        if isinstance(row, int) and 0 <= row < n_rows:
            on_pick(row)

    def turned() -> None:
        message = _message(key, "view", map_id)
        camera, hidden = camera_of(message.get("camera", ())), message.get("hidden", ())
        if camera is not None:
            on_view(camera, tuple(str(name) for name in hidden))

    _mount(
        key=key,
        data={
            "chart": chart,
            "twin": twin,
            "map": map_id,
            "row": mark.row if mark else -1,
            "ring": [] if mark is None else _numbers(mark.place),
            "lines": [] if mark is None else _spokes(mark),
            "over": list(over),
            "arrows": list(arrows),
            "sound": {"player": sound.player, "count": sound.count, "on": sound.on},
        },
        on_pick_change=picked,
        on_view_change=turned,
    )


def camera_of(numbers: Sequence[object]) -> tuple[float, ...] | None:
    """Return a camera if this is one: six (3-D) or four (2-D) finite numbers of sensible size; else None."""
    if len(numbers) not in (4, 6):
        return None
    camera = tuple(float(number) if isinstance(number, int | float) else math.nan for number in numbers)
    return camera if all(abs(number) < 1e6 for number in camera) else None


def _message(key: str, name: str, map_id: str) -> dict[str, Any]:
    message = st.session_state[key].get(name)
    return message if isinstance(message, dict) and message.get("map") == map_id else {}


def _spokes(mark: Mark) -> list[list[float | None]]:
    """Return one line per neighbour, from the clip in hand and back, broken by None; one list per axis."""
    out = []
    for axis, start in enumerate(_numbers(mark.place)):
        ends = _numbers(mark.neighbours[:, axis])
        out.append([value for end in ends for value in (start, end, None)])
    return out


def _numbers(values: NDArray[np.float32]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
