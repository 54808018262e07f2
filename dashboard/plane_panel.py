"""Clips on Russell's plane: a picture for each corpus, how far to trust it, the clip in hand, all checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import affect_data, clip_panel, export, links, map_panel, progress, widgets
from dashboard.circumplex_panel import CONFIG
from dashboard.frame import Choice
from dashboard.words import interval, number
from ser_core import circle as analysis
from ser_core.circle import Plane, Planes
from ser_core.geometry import affect
from ser_core.plots import circumplex as plots

EMPTY: Final = "Click a point to hear its clip."
MEASURES: Final = (
    "CCC: agreement of places, 1 perfect, 0 none. R²: share of variance predicted, below 0 worse than always the mean. "
    "Turned by: degrees counter-clockwise. In brackets: 95 %, drawing speakers anew."
)
SIZES: Final = (540, 380)
"""Height in pixels of one picture alone, and of each of several."""
USUAL: Final = (1.65, 1.3)
"""Valence and arousal up to which is in sight at least; more where clips lie further out (`INSIDE`)."""
INSIDE: Final = (1.0, 99.0)
"""Percentiles of the clips between which is in sight."""
MARGIN: Final = 1.1
"""Room for names beside points that lie far out."""
WIDTHS: Final = (1.85, 2.5)
"""Of one picture, and of two side by side, against the clip in hand."""
COLUMNS: Final = {
    "learnt → placed": None, "checked on": 116, "voices": 76, "clips": 46, "valence CCC": 138, "R²": 52,
    "arousal CCC": 124, "R² ": 52, "turned by": 136, "left": 46,
}  # fmt: skip
"""Columns of the table of checks with their widths in pixels (None: as its names need)."""
VOICES: Final = {True: "known", False: "new", None: "not known"}
"""Whether the rule had heard the speakers; of another corpus nobody can tell."""
LONGEST_LIST: Final = 5000
"""Clips up to which there is a box for finding one."""
Numbers: TypeAlias = Sequence[Mapping[str, Any]]
Limits: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Seen:
    """A plane that is shown, its numbers, and the rows of its clips among all that were chosen."""

    plane: Plane
    told: Mapping[str, Any]
    rows: NDArray[np.intp]


def offer(choice: Choice, **how: Any) -> None:
    """Say that the plane has to be learnt first; start it."""
    what = f"{len(choice.found.clips):,} clips of {choice.found.vectors.shape[2]:,} values"
    progress.offer(
        analysis.job(choice.names, choice.store.key, **how),
        going=f"The plane is being learnt from {what}; you can go on elsewhere meanwhile.",
        wanted=f"The plane has not been learnt yet from {what}: it is learnt anew for every speaker that is left out.",
        label="Learn the plane (in the background)",
        start=lambda: affect_data.start_planes(choice.names, choice.store, **how),
    )


def refusals(found: Planes) -> None:
    """Say from which corpora nothing could be learnt, and why."""
    for _, why in found.refused:
        st.info(widgets.plain(f"{why}."))


def seen(choice: Choice, found: Planes, numbers: Numbers, *, teacher: str) -> dict[str, Seen]:
    """Return by corpus what is shown of it: its clips as ``teacher`` has them placed, its own by unseen speakers."""
    corpus = choice.found.clips["corpus"].to_numpy(str)
    return {
        plane.target: Seen(plane, told, np.flatnonzero(corpus == plane.target)[plane.rows])
        for plane, told in zip(found.parts, numbers, strict=True)
        if plane.source == teacher and plane.check != "unseen emotions"
    }


@st.fragment
def show(choice: Choice, seen: Mapping[str, Seen], numbers: Numbers) -> None:
    """Show the clips of each corpus, the clip in hand, and the table of all checks."""
    row = clip_panel.row_in_hand(choice.found)
    planes = [one.plane for one in seen.values()]
    limits = _limits(planes)
    left, right = st.columns([WIDTHS[len(seen) > 1], 1], gap="medium")
    with left:
        for pair in _in_twos([name for name in choice.names if name in seen]):
            for place, name in zip(st.columns(2) if len(seen) > 1 else [st.container()], pair, strict=False):
                with place:
                    _picture(choice, seen[name], row=row, limits=limits, height=SIZES[len(seen) > 1])
        st.caption(" ".join(_notes(planes, limits)))
    with right:
        clip_panel.alone(choice.found, row, empty=EMPTY)
        if row is not None:
            _placed(choice, seen, row)
        _find(choice)
    _checks(numbers)
    links.publish()


def _in_twos(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + 2] for start in range(0, len(names), 2)]


def _picture(choice: Choice, one: Seen, *, row: int | None, limits: Limits, height: int) -> None:
    plane, rows = one.plane, one.rows
    texts = [map_panel.clip_label(clip) for clip in choice.found.clips.iloc[rows].to_dict("records")]
    number_of = list(choice.names).index(plane.target)
    chart, key = f"plane_{number_of}", f"plane_figure_{number_of}"

    def chosen() -> None:
        points = st.session_state[key]["selection"]["points"]
        wanted = points[0].get("customdata") if points else None
        wanted = wanted[0] if isinstance(wanted, list) and wanted else wanted
        if isinstance(wanted, int) and 0 <= wanted < len(choice.found.clips):
            clip_panel.take(choice.found, wanted)

    st.markdown(f"**{widgets.plain(plane.target)}** {widgets.plain(_taught(plane))}")
    placed = plane.placement.placed
    how: dict[str, Any] = {"texts": texts, "limits": limits, "in_hand": row, "height": height}
    figure = plots.plane(placed, plane.labels, rows=rows.astype(np.int32), **how)
    alt = f"Clips of {plane.target} on Russell's plane"
    with st.container(key=chart):
        st.plotly_chart(figure, key=key, config=CONFIG, alt=alt, on_select=chosen, selection_mode="points")
    export.picture(chart, name=f"plane-{plane.target}")
    widgets.facts(_facts(one.told))
    st.caption(widgets.plain(_rotation(plane)))


def _taught(plane: Plane) -> str:
    if plane.check == "another corpus":
        return f"placed by {plane.source}"
    return "placed by its other speakers"


def _facts(told: Mapping[str, Any]) -> dict[str, str]:
    out = {}
    for axis in analysis.AXES:
        for measure, name in (("ccc", "CCC"), ("r2", "R²")):
            out[f"{axis} ({name})"] = _score(told[axis], measure)
    out["turned by"] = _degrees(told["turn"])
    return out | {"checked on": told["checked_on"], "of": f"{told['n_clips']:,} clips, {told['n_speakers']} speakers"}


def _degrees(turn: Mapping[str, Any] | None) -> str:
    return "none" if turn is None else f"{number(turn['angle'], digits=0)}°{interval(turn['angle_95'], digits=0)}"


def _score(axis: Mapping[str, Any], measure: str) -> str:
    return number(axis[measure]) + interval(axis[f"{measure}_95"])


def _rotation(plane: Plane) -> str:
    """Say whether the clouds are turned from Russell's places, and what a turn leaves unexplained."""
    turn = plane.turn
    shared = " Some recordings are in both corpora: no fair check." if plane.recordings_shared else ""
    if turn is None:
        return f"Too few emotions have a place on Russell's circle for a turn.{shared}"
    left = f"After turning, {100 * turn.residual:.0f} % of the spread of the emotions' middles is still not Russell's."
    left += shared
    if turn.angle_95 is None:
        return left
    if turn.angle_95[0] <= 0 <= turn.angle_95[1]:
        return f"No turn away from Russell can be told. {left}"
    way = "counter-clockwise" if turn.angle > 0 else "clockwise"
    return f"The clouds are turned {way} from Russell's places. {left}"


def _limits(planes: Sequence[Plane]) -> Limits:
    """Return what all pictures show: Russell's circle, and nearly all clips."""
    x, y = np.concatenate([plane.placement.placed for plane in planes]).T
    ends = [*np.percentile(x, INSIDE), *np.percentile(y, INSIDE)]
    left, right, down, up = (float(MARGIN * end) for end in ends)
    return min(-USUAL[0], left), max(USUAL[0], right), min(-USUAL[1], down), max(USUAL[1], up)


def _notes(planes: Sequence[Plane], limits: Limits) -> list[str]:
    out = [MEASURES]
    low, high = np.array(limits).reshape(2, 2).T
    placed = np.concatenate([plane.placement.placed for plane in planes])
    if outside := int(((placed < low) | (placed > high)).any(axis=1).sum()):
        lie = "clip lies" if outside == 1 else "clips lie"
        out.append(f"{outside:,} {lie} outside the pictures: zoom out with the picture's toolbar.")
    scales = {plane.scored_on for plane in planes} | {planes[0].learnt_on}
    said = f"Learnt from {planes[0].source} on: {planes[0].learnt_on}."
    for plane in planes:
        if plane.scored_on != plane.learnt_on:
            said += f" {plane.target} is scored on: {plane.scored_on}."
    out.append(widgets.plain(said))
    if affect.LABELS in scales:
        out.append("A label's place, with neutral in the middle, is the same for all clips of an emotion.")
    return out


def _placed(choice: Choice, seen: Mapping[str, Seen], row: int) -> None:
    """Say where the clip in hand lies."""
    one = seen.get(str(choice.found.clips["corpus"].iloc[row]))
    if one is None or row not in one.rows:
        st.caption("Too little is known of this clip (its emotion or its speaker), so it is not in the picture.")
        return
    here = int(np.flatnonzero(one.rows == row)[0])
    (x, y), (goal_x, goal_y) = one.plane.placement.placed[here], one.plane.placement.truth[here]
    st.caption(
        f"Placed at valence {number(x)}, arousal {number(y)} "
        f"(target: valence {number(goal_x)}, arousal {number(goal_y)}; both from \u22121 to 1)."
    )


def _find(choice: Choice) -> None:
    """Offer every clip without the pointer."""
    if len(choice.found.clips) > LONGEST_LIST:
        return
    records = choice.found.clips.to_dict("records")

    def found() -> None:
        if (row := st.session_state["_find_on_plane"]) is not None:
            clip_panel.take(choice.found, int(row))
            st.session_state["_find_on_plane"] = None

    st.selectbox(
        "Find a clip",
        range(len(records)),
        index=None,
        format_func=lambda row: map_panel.clip_label(records[row]),
        placeholder="file, speaker or emotion",
        key="_find_on_plane",
        on_change=found,
    )


def _checks(numbers: Numbers) -> None:
    st.markdown("**All checks**")
    rows = [
        (
            f"{one['from']} → {one['to']}",
            one["checked_on"],
            VOICES[one["speakers_shared"]],
            one["n_clips"],
            *(value for axis in analysis.AXES for value in (_score(one[axis], "ccc"), number(one[axis]["r2"]))),
            _degrees(one["turn"]),
            f"{100 * one['turn']['residual']:.0f} %" if one["turn"] else "none",
        )
        for one in numbers
    ]
    columns: dict[str, Any] = {name: st.column_config.Column(width=width) for name, width in COLUMNS.items()}
    shown = pd.DataFrame(rows, columns=list(COLUMNS))
    st.dataframe(shown, hide_index=True, key="plane_table", column_config=columns, height="content")
    st.caption(
        "Unseen speakers: each speaker's clips placed by a rule learnt from all others. Unseen emotions: each "
        "emotion's clips placed by a rule that never heard it, though it knows the voices. Another corpus: learnt "
        "from one, the other placed. Left: the share of the spread of the emotions' middles that is not Russell's "
        "even after turning; where most is left, the turn means little. The file also has speakers and intervals of R²."
    )
    export.table(pd.DataFrame([_flat(one) for one in numbers]), name="plane-checks")


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested numbers as one row, intervals as two columns."""
    out: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            for part, inner in _flat(value).items():
                out[f"{name}_{part}"] = inner
        elif name.endswith("_95"):
            out[f"{name}_from"], out[f"{name}_to"] = value or (None, None)
        else:
            out[name] = value
    return out
