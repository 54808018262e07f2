"""Clips on Russell's plane: a picture for each corpus, how far to trust it, the clip in hand, all checks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import clip_panel, data, export, links, map_panel, progress, widgets
from dashboard.circumplex_panel import CONFIG, interval, number
from dashboard.frame import Choice
from ser_core import circle as analysis
from ser_core.circle import Plane
from ser_core.corpora.folder import UNKNOWN
from ser_core.geometry import affect
from ser_core.plots import circumplex as plots
from ser_core.plots.colours import EMOTION

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
    "learnt → placed": None, "checked on": 110, "voices": 56, "clips": 48, "valence CCC": 138, "R²": 54,
    "arousal CCC": 134, "R² ": 54, "turned by": 128, "left": 48,
}  # fmt: skip
"""Columns of the table of checks with their widths in pixels (None: as its names need)."""
LONGEST_LIST: Final = 5000
"""Clips up to which there is a box for finding one."""
Numbers: TypeAlias = Sequence[Mapping[str, Any]]
Limits: TypeAlias = tuple[float, float, float, float]


def offer(choice: Choice, **how: Any) -> None:
    """Say that the plane has to be learnt first; start it."""
    title = f"Plane of {', '.join(choice.names)}"
    what = f"{len(choice.found.clips):,} clips of {choice.found.vectors.shape[2]:,} values"
    arguments = analysis.job(choice.names, choice.store.key, **how)
    if any(job.active and job.arguments == arguments for job in data.jobs()):
        st.info(f"The plane is being learnt from {what}; you can go on elsewhere meanwhile.")
        progress.watch(title)
        return
    st.info(f"The plane has not been learnt yet from {what}: it is learnt anew for every speaker that is left out.")
    if st.button("Learn the plane (in the background)", type="primary"):
        data.start_planes(choice.names, choice.store, **how)
        st.rerun()


@st.fragment
def show(choice: Choice, planes: Sequence[Plane], numbers: Numbers, *, teacher: str) -> None:
    """Show the clips of each corpus as ``teacher`` has them placed, the clip in hand, and the table of all checks."""
    seen = {
        plane.target: (plane, told)
        for plane, told in zip(planes, numbers, strict=True)
        if plane.source == teacher and plane.check != "unseen emotions"
    }
    row = clip_panel.row_in_hand(choice.found)
    limits = _limits([plane for plane, _ in seen.values()])
    left, right = st.columns([WIDTHS[len(seen) > 1], 1], gap="medium")
    with left:
        for pair in _in_twos([name for name in choice.names if name in seen]):
            for place, name in zip(st.columns(2) if len(seen) > 1 else [st.container()], pair, strict=False):
                with place:
                    _picture(choice, *seen[name], row=row, limits=limits, height=SIZES[len(seen) > 1])
        scales = {plane.source: plane.scale for plane in planes if plane.source in seen}
        st.caption(" ".join(_notes([plane for plane, _ in seen.values()], limits, scales)))
    with right:
        clip_panel.alone(choice.found, row, empty=EMPTY)
        if row is not None:
            _placed(choice, seen, row)
        _find(choice)
    _checks(numbers)
    links.publish()


def _in_twos(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + 2] for start in range(0, len(names), 2)]


def _rows(choice: Choice, corpus: str) -> NDArray[np.int32]:
    """Return the rows of all clips chosen that a plane of this corpus places: those with a known emotion."""
    clips = choice.found.clips
    return np.flatnonzero((clips["corpus"] == corpus) & (clips[EMOTION] != UNKNOWN)).astype(np.int32)


def _picture(
    choice: Choice, plane: Plane, told: Mapping[str, Any], *, row: int | None, limits: Limits, height: int
) -> None:
    rows = _rows(choice, plane.target)
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
    figure = plots.plane(placed, plane.labels, rows=rows, texts=texts, limits=limits, in_hand=row, height=height)
    alt = f"Clips of {plane.target} on Russell's plane"
    with st.container(key=chart):
        st.plotly_chart(figure, key=key, config=CONFIG, alt=alt, on_select=chosen, selection_mode="points")
    export.picture(chart, name=f"plane-{plane.target}")
    widgets.facts(_facts(told))
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
    turn = told["turn"]
    out["turned by"] = f"{number(turn['angle'], digits=0)}°{interval(turn['angle_95'], digits=0)}"
    return out | {"checked on": told["checked_on"], "of": f"{told['n_clips']:,} clips, {told['n_speakers']} speakers"}


def _score(axis: Mapping[str, Any], measure: str) -> str:
    return number(axis[measure]) + interval(axis[f"{measure}_95"])


def _rotation(plane: Plane) -> str:
    """Say whether the clouds are turned from Russell's places, and what a turn leaves unexplained."""
    turn = plane.turn
    left = f"After turning, {100 * turn.residual:.0f} % of the spread of the emotions' middles is still not Russell's."
    if plane.placement.shared_speakers:
        left += " Some recordings are in both corpora: no fair check."
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


def _notes(planes: Sequence[Plane], limits: Limits, scales: Mapping[str, str]) -> list[str]:
    out = [MEASURES]
    low, high = np.array(limits).reshape(2, 2).T
    placed = np.concatenate([plane.placement.placed for plane in planes])
    if outside := int(((placed < low) | (placed > high)).any(axis=1).sum()):
        out.append(f"{outside:,} clips lie outside the pictures: zoom out with the picture's toolbar.")
    unrated = [name for name, scale in scales.items() if scale == affect.LABELS]
    if unrated:
        out.append(
            f"Nobody rated these clips ({widgets.plain(', '.join(unrated))}): the target is the place of the clip's "
            "label on Russell's circle, neutral in its middle, the same for all clips of an emotion."
        )
    rated = [f"{name}: valence and arousal {scale}." for name, scale in scales.items() if name not in unrated]
    return out + [widgets.plain(sentence) for sentence in rated]


def _placed(choice: Choice, seen: Mapping[str, tuple[Plane, Any]], row: int) -> None:
    """Say where the clip in hand lies."""
    plane = seen[str(choice.found.clips["corpus"].iloc[row])][0]
    here = np.flatnonzero(_rows(choice, plane.target) == row)
    if not len(here):
        st.caption("The emotion of this clip is not known, so it is not in the picture.")
        return
    (x, y), (goal_x, goal_y) = plane.placement.placed[here[0]], plane.placement.truth[here[0]]
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
            "known" if one["speakers_shared"] else "new",
            one["n_clips"],
            *(value for axis in analysis.AXES for value in (_score(one[axis], "ccc"), number(one[axis]["r2"]))),
            f"{number(one['turn']['angle'], digits=0)}°{interval(one['turn']['angle_95'], digits=0)}",
            f"{100 * one['turn']['residual']:.0f} %",
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
