"""What leaves a page as a file: pictures as PNG or SVG, tables as CSV."""

from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.components.v2 import component

_mount = component("ser_atlas_export", js=Path(__file__).with_suffix(".js").read_text("utf-8"))


def picture(chart: str, *, name: str) -> None:
    """Offer the chart in the container with the key ``chart`` as PNG and SVG, under the file name ``name``."""
    _mount(key=f"export_{chart}", data={"chart": chart, "name": name})


def table(rows: pd.DataFrame, *, name: str) -> None:
    """Offer a table as CSV (UTF-8, with a mark that spreadsheets know it by)."""

    def text() -> bytes:
        return rows.to_csv(index=False).encode("utf-8-sig")

    st.download_button("Save as CSV", text, f"{name}.csv", "text/csv", key=f"csv_{name}", on_click="ignore")
