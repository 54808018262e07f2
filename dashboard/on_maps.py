"""What a trained autoencoder makes of clips, as an encoder on the pages with maps."""

import streamlit as st

from dashboard import data, frame, progress
from ser_core.runs import PREFIX, Run


def offer(run: Run, what: str) -> None:
    """Offer to put ``what`` an autoencoder makes of its corpus's clips on the maps, or to open it there."""
    st.markdown("##### On the maps")
    name = f"{PREFIX}{run.id}"
    there = next((one for one in data.coverage(run.corpus) if one.encoder == name and one.n_embedded), None)
    if there:
        line = st.container(horizontal=True, vertical_alignment="center")
        line.markdown(f"{what} of {there.n_embedded:,} clips are an encoder on the other pages.")
        if line.button("Open them in Explore"):
            st.session_state["corpora"], st.session_state["encoder"] = [run.corpus], there.store.key
            st.switch_page(frame.VIEWS / "explore.py")
        return
    progress.offer(
        ["embed", run.corpus, name],
        going="They are being put on the maps; you can go on elsewhere meanwhile.",
        wanted=f"{what} can be an encoder like any other: for Explore, Clusters, the Circle of emotions and for "
        "placing a clip of your own.",
        label="Put them on the maps (in the background)",
        start=lambda: data.start_embedding(run.corpus, name),
    )
