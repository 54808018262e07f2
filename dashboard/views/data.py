"""The recordings and embeddings that are here, and how to get more."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import data, progress, widgets
from ser_core.catalogue import Located
from ser_core.corpora import KINDS
from ser_core.corpora.folder import LAYOUT
from ser_core.errors import SerError

OWN = {"A folder of my own": "folder", "An audformat database": "audformat"}


def corpora_table(corpora: list[Located]) -> None:
    """Show every corpus with what is embedded of it."""
    rows = []
    for located in corpora:
        row = {
            "Name": located.name,
            "Corpus": located.corpus.title,
            "Language": located.corpus.language,
            "Clips": f"{data.n_clips(located.name):,}" if located.root.is_dir() else "folder is gone",
            "Speech": "synthetic" if located.corpus.synthetic else "recorded",
            "Licence": located.corpus.licence,
        }
        for done in data.coverage(located.name):
            share = done.n_embedded / max(1, done.n_embedded + done.n_pending)
            failed = f" ({done.n_failed:,} failed)" if done.n_failed else ""
            row[done.encoder] = f"{done.n_embedded:,}" + ("" if share == 1 else f" ({share:.0%})") + failed
        rows.append(row)
    st.dataframe(pd.DataFrame(rows).fillna("none"), hide_index=True)
    st.caption("The columns after the licence count the clips embedded with each encoder.")


def kept() -> None:
    """Show what lies on the disk, and how large it is."""
    entries = data.kept()
    total = sum(entry.bytes for entry in entries) / 1e6
    with st.expander(f"What is kept on disk ({total:,.1f} MB)"):
        columns = {"Kind": "kind", "Name": "name", "Clips": "n_clips", "Failed": "n_failures", "MB": "bytes"}
        table = pd.DataFrame({title: [getattr(entry, field) for entry in entries] for title, field in columns.items()})
        st.dataframe(table.assign(MB=(table["MB"].astype(float) / 1e6).round(1)), hide_index=True)
        st.text(f"Folder: {data.cache().root}")


def embed(corpora: list[Located]) -> None:
    """Choose a corpus and an encoder, and start."""
    choice, encoder, button = st.columns([2, 2, 1], vertical_alignment="bottom")
    name = choice.selectbox("Corpus", [located.name for located in corpora], key="embed_corpus")
    usable = {one.name: one.title for one in data.encoders() if one.missing is None}
    picked = encoder.selectbox("Encoder", list(usable), format_func=usable.__getitem__, key="embed_encoder")
    n_left, about = data.forecast(name, picked)
    st.text(about)
    at_work = any(job.active and job.arguments == ["embed", name, picked] for job in data.jobs())
    if button.button("Embed", type="primary", width="stretch", disabled=n_left == 0 or at_work):
        data.start_embedding(name, picked)
        st.rerun()
    absent = [one for one in data.encoders() if one.missing is not None]
    with st.expander(f"{len(absent)} encoders are not on this machine, and how to get them"):
        for one in absent:
            st.text(f"{one.name}: {one.missing}")
        st.text("Any other checkpoint: ser embed CORPUS hf:FOLDER, or name its folder here.")
        folder = st.text_input("Checkpoint folder or hub id", placeholder="/models/wav2vec2-base")
        if st.button("Embed with this checkpoint", disabled=not folder):
            try:
                data.start_embedding(name, f"hf:{folder.strip()}")
                st.rerun()
            except SerError as error:
                st.error(widgets.plain(str(error)))


def add() -> None:
    """Take a folder, look into it, and add it if it holds what it should."""
    kinds = OWN | {one.title: one.name for one in KINDS.values() if not one.synthetic}
    with st.form("add corpus", border=False):
        left, middle, right = st.columns([1, 2, 1])
        kind = kinds[left.selectbox("What it is", list(kinds))]
        path = middle.text_input("Folder on this machine", placeholder="/home/me/recordings")
        name = right.text_input("Call it (optional)", placeholder="my-study")
        st.caption(f"A folder of your own is {LAYOUT}. It may say emotion, speaker, gender, language, recorded_at.")
        sent = st.form_submit_button("Check and add")
    if sent and path:
        try:
            with st.spinner("Looking into the folder …"):
                located, scan = data.add_corpus(kind, Path(path), name.strip() or None)
        except SerError as error:
            st.error(widgets.plain(str(error)))
            return
        st.session_state["inspect"] = located.name
        bad = f" {len(scan.unreadable)} of them cannot be read: see below." if scan.unreadable else ""
        counts = f"{len(scan.clips):,} clips, {len(scan.by_speaker)} speakers."
        note = f"{located.name} is added: {counts}{bad} Next: compute its embeddings, above."
        st.session_state["added"] = (located.name, note)
        st.rerun()
    if sent:
        st.error("Type the folder's path first.")
    if note := st.session_state.pop("note", None):
        st.success(widgets.plain(note))


def inspect(corpora: list[Located]) -> None:
    """Show what a look into a corpus's folder finds, and which clips failed."""
    choice, button = st.columns([4, 1], vertical_alignment="bottom")
    name = choice.selectbox("Corpus to look into", [located.name for located in corpora], key="inspect")
    if button.button("Take off the list", width="stretch", help="Its files and embeddings stay."):
        data.forget_corpus(name)
        st.rerun()
    located = next(one for one in corpora if one.name == name)
    try:
        with st.spinner("Looking into the folder …"):
            scan = data.scan(name)
    except SerError as error:
        st.error(widgets.plain(str(error)))
        return
    of = f" of {scan.expected:,}" if scan.expected else ""
    st.text(f"{len(scan.clips):,}{of} clips, {len(scan.by_speaker)} speakers, in {scan.root}")
    st.text(located.corpus.citation)
    counts = pd.crosstab(scan.clips["speaker"], scan.clips["emotion"])
    counts = pd.concat([counts, counts.sum().to_frame("all speakers").T])
    st.dataframe(counts.assign(**{"all emotions": counts.sum(axis=1)}), height="content")
    why_missing = "the complete corpus has it" if scan.expected else "named in its table, not found"
    problems = pd.DataFrame(
        [("missing", file, why_missing) for file in scan.missing]
        + [("cannot be read", *one) for one in scan.unreadable]
        + [("left out", *one) for one in scan.left_out]
        + [(f"failed ({encoder})", *one) for encoder, one in data.failures(name)],
        columns=["What", "File", "Why"],
    )
    if len(problems):
        st.text(f"{len(problems):,} files need a look:")
        st.dataframe(problems, hide_index=True)
    else:
        st.text("Nothing is missing, unreadable or left out, and no clip has failed.")


def main() -> None:
    """Draw the page."""
    st.subheader("Data", anchor=False)
    st.markdown(
        "The corpora on this machine, and the embeddings computed from them. "
        "Counts are of files as found; a label is the corpus's own word, not a claim about what a speaker felt."
    )
    if added := st.session_state.pop("added", None):
        st.session_state["embed_corpus"], st.session_state["note"] = added
    everything = data.corpora()
    progress.watch("")
    if everything:
        corpora_table(everything)
        st.markdown("##### Compute embeddings")
        embed(everything)
    else:
        st.info("No corpus yet. Add a folder below, or make the synthetic demo corpora with `make demo` in a terminal.")
    st.markdown("##### Add a corpus")
    add()
    if everything:
        st.markdown("##### Look into a corpus")
        inspect(everything)
    ended = [job for job in data.jobs() if not job.active]
    if ended:
        with st.expander("What ran lately"):
            for job in ended[:20]:
                st.text(progress.last_word(job))
    kept()


try:
    main()
except SerError as error:  # a damaged list of corpora, say: one sentence, and the navigation stays
    st.error(widgets.plain(str(error)))
