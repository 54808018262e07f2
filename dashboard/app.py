"""The dashboard: ``ser dashboard``, or ``streamlit run dashboard/app.py``."""

from pathlib import Path

import streamlit as st

from dashboard import links, progress

HERE = Path(__file__).parent
STYLE = """
<style>
.stMainBlockContainer { padding: 3.6rem 2rem 3rem; max-width: 1900px; }
.stSidebar [data-testid="stSidebarUserContent"] { padding-top: .5rem; }
.stMultiSelect [data-tag], .stMultiSelect [data-tag] > span { max-width: none; font-size: .82rem; }
</style>
"""


def main() -> None:
    """Set the frame that all pages share, and run the chosen one."""
    st.set_page_config(page_title="SER Atlas", layout="wide", initial_sidebar_state="expanded")
    st.html(STYLE)
    links.restore()
    progress.announce()
    pages = [
        st.Page(HERE / "views" / "explore.py", title="Explore", default=True),
        st.Page(HERE / "views" / "place.py", title="Place a clip"),
        st.Page(HERE / "views" / "clusters.py", title="Clusters"),
        st.Page(HERE / "views" / "distances.py", title="Distances"),
        st.Page(HERE / "views" / "circumplex.py", title="Circle of emotions"),
        st.Page(HERE / "views" / "timeline.py", title="Timeline"),
        st.Page(HERE / "views" / "compare.py", title="Compare"),
        st.Page(HERE / "views" / "models.py", title="Models"),
        st.Page(HERE / "views" / "autoencoder.py", title="Autoencoder"),
        st.Page(HERE / "views" / "transfer.py", title="Transfer"),
        st.Page(HERE / "views" / "attribution.py", title="Attribution"),
        st.Page(HERE / "views" / "data.py", title="Data"),
    ]
    st.navigation(pages, position="top").run()


main()
