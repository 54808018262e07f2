"""Keep a clip: the one way from the page to the disk, into a folder corpus of one's own, with labels."""

from datetime import date
from typing import Any, Final

import streamlit as st

from dashboard import data, widgets
from dashboard.frame import Choice
from dashboard.uploads import Upload
from ser_core import emotions, keeping
from ser_core.errors import SerError

UNSAID: Final = "not known"
FOLDER: Final = "own"


def show(upload: Upload, choice: Choice) -> None:
    """Offer to keep a clip with its labels."""
    with st.expander("Keep in my corpus"):
        st.markdown(
            "This writes the clip, with the labels that you give it, to the disk of the machine that this page runs "
            "on. Leave empty what you do not know."
        )
        st.text(f"Folder: {data.cache().root / FOLDER}")
        _form(upload, choice)
    if said := st.session_state.pop("_kept", None):
        st.success(widgets.plain(said))


def _form(upload: Upload, choice: Choice) -> None:
    own = [one.name for one in keeping.kept(data.cache())]
    with st.form(f"keep {upload.id}", border=False):
        first, second, third = st.columns(3)
        corpus = first.selectbox(
            "Corpus", own, index=len(own) - 1 if own else None, accept_new_options=True, placeholder="my-clips",
            help="Choose one of yours, or type the name of a new one.",
        )  # fmt: skip
        emotion = second.selectbox(
            "Emotion", [UNSAID, *emotions.EMOTIONS], accept_new_options=True, help="Choose one, or type your own word."
        )
        speaker = second.text_input("Speaker", placeholder="a code, not a name")
        gender = third.text_input("Gender", placeholder="female, male, ...")
        language = third.text_input("Language", placeholder="en, de, ...")
        day = first.date_input("Recorded on", value=None, max_value=date.today())
        sent = st.form_submit_button("Keep in my corpus", type="primary")
    if not sent:
        return
    labels = {
        "emotion": "" if emotion in (None, UNSAID) else emotion,
        "speaker": speaker,
        "gender": gender,
        "language": language,
        "recorded_at": day.isoformat() if isinstance(day, date) else "",
    }
    try:
        _keep(upload, choice, (corpus or "").strip(), {label: str(value).strip() for label, value in labels.items()})
    except SerError as error:
        st.error(widgets.plain(str(error)))
        return
    st.rerun()


def _keep(upload: Upload, choice: Choice, corpus: str, labels: dict[str, Any]) -> None:
    located = keeping.keep(data.cache(), upload.data, upload.clip, corpus=corpus, original_name=upload.name, **labels)
    encoder = str(choice.found.recipe["name"])
    said = f"{upload.name} is kept in {located.name} ({located.root})."
    try:
        data.start_embedding(located.name, encoder)
        said += (
            f" It is being embedded with {encoder} in the background; then choose {located.name} on the left to see it "
            "among other clips."
        )
    except SerError as error:
        said += f" It could not be embedded: {error}"
    st.session_state["_kept"] = said
