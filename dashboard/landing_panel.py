"""Where a clip lands: on the map, beside the clips of the corpus, and on Russell's plane."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import streamlit as st

from dashboard import clip_panel, export, links, map_panel, upload_panel, widgets
from dashboard.circumplex_panel import CONFIG
from dashboard.frame import Choice
from dashboard.place_data import Look, Prepared, Taught
from dashboard.uploads import Upload
from dashboard.words import number
from ser_core.embeddings import Embeddings
from ser_core.maps import Map
from ser_core.plots import landing as plots
from ser_core.plots.landing import Own

PLANE: Final = "landing_plane"
"""Key of the container of the picture of Russell's plane."""
PLANE_HEIGHT: Final = 520
WIDTHS: Final = (1.85, 1)
EXACT: Final = (
    "The clip went through the scaling and along the axes that the map was made with (PCA): this is exactly its place."
)
BETWEEN: Final = (
    "A UMAP map has no rule for new clips: the clip lies between its nearest ones, the nearer, the closer. That is "
    "about its place: clips of the corpus, placed in this way by clips of other speakers, come to lie {} % of the "
    "map's spread from their own points (median)."
)
NEAR: Final = "Lines lead to the {} nearest clips of the corpus in the original space, with all its dimensions."
CLICK: Final = "Click a point of the map to hear a clip of the corpus{}."
ENDS: Final = {"Valence": ("unpleasant", "pleasant"), "Arousal": ("quiet", "activated")}
ALT: Final = "Map of the corpus with your clip on it; the nearest clips are listed below"


@st.fragment
def show(
    choice: Choice, ready: Prepared, upload: Upload | None, look: Look | None, others: Sequence[Look], *, column: str
) -> None:
    """Show the map and the plane, and beside them the clip and the one of the corpus that was clicked.

    The map is there before a clip is (``upload``) and while it is being placed (``look``): what lands is painted on it.
    """
    row = clip_panel.row_in_hand(choice.found)
    left, right = st.columns(WIDTHS, gap="medium")
    with left:
        drawn = ready.atlas.ground.drawn
        over: dict[str, Any] = {"overlay": plots.over_map(drawn.view.n_components), "overlay_id": "clips"}
        scene = map_panel.scene(choice.found, drawn, column=column, common=len(choice.names) > 1, **over)
        map_panel.picture(scene, alt=ALT, several=False)
        map_panel.listen(scene, row, None, **_painted(drawn, look, others))  # first of all, so that it is seen at once
        if look is not None:
            st.caption(landed(look))
            if ready.taught is not None:
                _plane(look, ready.taught, others)
    with right:
        if upload is None:
            upload_panel.teach(choice)
        else:
            upload_panel.sound(upload)
            upload_panel.facts(upload)
        _beside(choice.found, row, alone=upload is None)
    links.publish()


def alone(upload: Upload) -> None:
    """Show a clip that is not placed."""
    left, right = st.columns(2, gap="medium")
    with left:
        upload_panel.sound(upload)
    with right:
        upload_panel.facts(upload)


def landed(look: Look) -> str:
    """Say how the clip came to its place on the map, and how far to trust it."""
    off = look.atlas.ground.error
    said = [EXACT if off is None else BETWEEN.format(f"{100 * off:.0f}")]
    said.append(NEAR.format(len(look.placed.landing.rows[0])))
    if look.placed.same is not None:
        said.append("Its nearest clip is this very recording.")
    return " ".join(said)


def _painted(drawn: Map, look: Look | None, others: Sequence[Look]) -> dict[str, Any]:
    """Return what is painted on the map: the clips that have landed, and an arrow to the one in hand."""
    hand = Own(look.upload.name, look.placed.point) if look else None
    rest = [Own(one.upload.name, one.placed.point) for one in others]
    near = drawn.projection.coordinates[look.placed.landing.rows[0] if look else []]
    arrows = [plots.pointer(hand)] if hand and drawn.view.n_components == 3 else []
    return {"over": plots.on_map(hand, rest, near=near), "arrows": arrows}


def _beside(found: Embeddings, row: int | None, *, alone: bool) -> None:
    """Show the clip of the corpus that was clicked; ``alone`` where there is none of one's own beside it."""
    if row is None:
        st.caption(CLICK.format("" if alone else " beside yours"))
        return
    st.markdown("**Of the corpus**" if alone else "**Beside it, from the corpus**")
    clip_panel.beside(found, row)


def _plane(look: Look, taught: Taught, others: Sequence[Look]) -> None:
    """Show Russell's plane with the corpus that taught it, and the clip with the region of its true place."""
    place, region = look.placed.affect, taught.plane.region
    if place is None:
        return
    found, name = look.atlas.found, taught.plane.teacher
    here = np.flatnonzero(found.clips["corpus"].to_numpy(str) == name)
    rows = here[taught.rows] if len(here) else np.full(len(taught.rows), -1)
    records = found.clips.to_dict("records")
    texts = [map_panel.clip_label(records[row]) if row >= 0 else name for row in rows]
    figure = plots.plane(
        taught.plane.scored.placed,
        taught.labels,
        rows=rows.astype(np.int32),
        texts=texts,
        hand=Own(look.upload.name, place),
        others=[Own(one.upload.name, one.placed.affect) for one in others if one.placed.affect is not None],
        ellipse=region.ellipse(place) if region else None,
        height=PLANE_HEIGHT,
    )

    def chosen() -> None:
        points = st.session_state[f"{PLANE}_figure"]["selection"]["points"]
        wanted = points[0].get("customdata") if points else None
        wanted = wanted[0] if isinstance(wanted, list) and wanted else wanted
        if isinstance(wanted, int) and 0 <= wanted < len(found.clips):
            clip_panel.take(found, wanted)

    st.markdown(f"**On Russell's plane** (learnt from {widgets.plain(name)})")
    st.markdown(_affect(look, taught))
    options: dict[str, Any] = {"config": CONFIG, "on_select": chosen, "selection_mode": "points"}
    with st.container(key=PLANE):
        st.plotly_chart(figure, key=f"{PLANE}_figure", alt="Your clip on Russell's plane", **options)
    st.caption(_sure(taught))
    export.picture(PLANE, name="plane-of-clip")


def _affect(look: Look, taught: Taught) -> str:
    """Say where the clip lies on the plane, and on which side of the middle, if that can be told (Markdown)."""
    place, region = look.placed.affect, taught.plane.region
    if place is None:
        return ""
    if region is None:
        return (
            f"**Valence {number(place[0])}, arousal {number(place[1])}.** Too few clips of speakers that were not "
            "heard are there to tell how sure that is."
        )
    out = []
    for (name, (low, high)), value, wide in zip(ENDS.items(), place, region.half_widths, strict=True):
        told = f"{high} rather than {low}" if value > 0 else f"{low} rather than {high}"
        side = told if abs(value) > wide else f"whether {low} or {high} cannot be told"
        out.append(f"**{name} {number(value)}** (give or take {number(wide)}): {side}.")
    return " ".join(out)


def _sure(taught: Taught) -> str:
    """Say how large the region is, how much it holds, and what valence and arousal are here."""
    said = "Labels lie from \u22121 to 1, a clip can come to lie beyond. "
    if region := taught.plane.region:
        of = f"{100 * region.share:.0f} % of {region.n_clips:,} clips by {region.n_speakers} speakers"
        size = region.radius**2 * np.sqrt(np.linalg.det(region.matrix))  # of the circle, whose radius is 1
        said += (
            f"Dotted: as large as {of} need, each placed without having heard its speaker, to hold where they belong "
            "on both axes at once (“give or take”: on that axis alone). "
            f"It is {number(size, digits=1)} times as large as Russell's circle. "
        )
    if taught.held:
        of_all, by_speaker = taught.held
        worst = min(by_speaker, key=by_speaker.__getitem__)
        said += (
            f"Learnt without a speaker, it holds {100 * of_all:.0f} % of all clips so left out, and "
            f"{100 * by_speaker[worst]:.0f} % of those of the worst speaker ({worst}). "
        )
    return widgets.plain(f"{said}Learnt from: {taught.learnt_on}; that is not what somebody felt.")
