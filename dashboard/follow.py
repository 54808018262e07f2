"""A player and pictures that keep together: the sound's place on paths and in a time chart (``follow.js``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from streamlit.components.v2 import component

DIGITS: Final = 5

_mount = component("ser_atlas_follow", js=Path(__file__).with_suffix(".js").read_text("utf-8"))


def tie(
    player: str, rings: Mapping[str, NDArray[np.floating]], *, seconds: NDArray[np.float64], line: str | None
) -> None:
    """Let a ring move along paths, and a line through a time chart, as a player plays; a click there moves the player.

    Parameters
    ----------
    player
        Key of the container with the player.
    rings
        For each chart, by the key of its container, where the windows lie, shape (n_windows, 2 or 3), NaN if nowhere.
    seconds
        From when to when each window goes, shape (n_windows, 2).
    line
        Key of the container with the time chart, whose first x axis is in seconds; None if there is none.
    """
    middle = [float(f"{value:.{DIGITS}g}") for value in seconds.mean(axis=1)]
    paths = {chart: [_place(point) for point in points] for chart, points in rings.items()}
    _mount(key=f"follow_{player}", data={"player": player, "times": middle, "rings": paths, "line": line or ""})


def _place(point: NDArray[np.floating]) -> list[float] | None:
    return [float(f"{value:.{DIGITS}g}") for value in point] if np.isfinite(point).all() else None
