"""What is unusual about the voice of a placed clip, in words and as one bar for each measure."""

from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import export, widgets
from dashboard.place_data import Look
from ser_core import voice
from ser_core.plots import unusual as plot
from ser_core.voice import Against, Deviation, Measure, Reference

CHART: Final = "place_unusual"
CONFIG: Final = {"displayModeBar": False}
AGAINST: Final = {"corpus": "all clips", "neutral": "neutral clips"}
RECORDED: Final = (
    "**This may be the microphone, not the voice.** The level of a recording, the microphone and how far away it was, "
    "the room, and silence at the start or the end move these measures, too{}: compare only clips recorded alike. With "
    "88 measures every ordinary clip has some that are far out; they describe it, they prove nothing."
)
BARS: Final = (
    "One bar for each of the 88 eGeMAPS measures (Eyben et al. 2016), in standard deviations (SD) from the mean of {of}"
    ", blue from 2 SD. Point at a bar for its name, value and percentile.{cut}"
)


def show(look: Look) -> None:
    """Show what is unusual about the clip, against the corpus or against its neutral clips."""
    st.markdown("##### What is unusual about the voice")
    usual, found = look.atlas.voice, look.placed.deviations
    if usual is None or found is None:
        st.info(widgets.plain(_why_not(look)))
        return
    against = _against(usual)
    told = voice.unusual(found, against=against)
    st.markdown("\n".join(f"- {_says(one, against)}" for one in told))
    if not told:
        st.markdown(f"Nothing: no measure is {voice.UNUSUAL} standard deviations or more from the mean.")
    n_level = sum(one.measure.depends_on_level for one in told)
    st.caption(RECORDED.format(f" ({n_level} of these {len(told)} directly)" if n_level else ""))
    _bars(found, usual, against)
    with st.expander("All 88 measures"):
        _table(found)


def level(measure: Measure) -> str:
    """Return what to add to a measure that a louder recording changes."""
    return " (depends on the recording level)" if measure.depends_on_level else ""


def _says(one: Deviation, against: Against) -> str:
    said = one.says(against=against) + level(one.measure)
    return widgets.plain(said[:1].upper() + said[1:])


def _why_not(look: Look) -> str:
    if look.atlas.voice is not None:
        return "Nothing can be said of this clip's voice: openSMILE gives no eGeMAPS values for it."
    whys = [why for why in look.atlas.lacking if "egemaps" in why.lower()]
    return f"{'; '.join(whys) or 'Not known: there are no eGeMAPS values of this corpus'}.".replace("..", ".")


def _against(usual: Reference) -> Against:
    if usual.neutral_mean is None:
        st.caption(
            f"Against all {usual.n_clips:,} clips; there are too few neutral ones to compare with ({usual.n_neutral}, "
            f"{voice.FEWEST_NEUTRAL} are needed)."
        )
        return "corpus"
    counts = {"corpus": usual.n_clips, "neutral": usual.n_neutral}
    return widgets.segments(
        "against", "Compared with", list(AGAINST), default="corpus",
        show=lambda name: f"{AGAINST[name]} ({counts[name]:,})",
    )  # fmt: skip


def _bars(found: list[Deviation], usual: Reference, against: Against) -> None:
    sizes = [one.z if against == "corpus" else one.z_neutral for one in found]
    n_cut = sum(z is not None and abs(z) > plot.IN_SIGHT[1] for z in sizes)
    with st.container(key=CHART):
        figure = plot.bars(found, against=against)
        st.plotly_chart(figure, key=f"{CHART}_figure", config=CONFIG, alt="Deviation of each of the 88 measures")
    cut = f" {n_cut} {'bar leaves' if n_cut == 1 else 'bars leave'} the picture." if n_cut else ""
    n = usual.n_clips if against == "corpus" else usual.n_neutral
    of = f"{n:,} {'clips' if against == 'corpus' else 'neutral clips'}"
    st.caption(BARS.format(of=of, cut=cut))
    export.picture(CHART, name="voice")


def _table(found: list[Deviation]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "group": one.measure.group,
            "measure": one.measure.words,
            "value": one.value,
            "unit": one.measure.unit,
            "SD from corpus": one.z,
            "SD from neutral": one.z_neutral,
            "percentile": 100 * one.percentile,
            "what it is": one.measure.about,
            "openSMILE": one.measure.name,
        }
        for one in found
    ]
    table = pd.DataFrame(rows).astype({"SD from neutral": float})
    formats: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.2f") for name in ("SD from corpus", "SD from neutral")
    }
    formats |= {
        "value": st.column_config.NumberColumn(format="%.4g"),
        "percentile": st.column_config.NumberColumn(format="%.0f"),
    }
    st.dataframe(table, hide_index=True, key="place_measures", height=380, column_config=formats)
    export.table(table, name="clip_voice")
