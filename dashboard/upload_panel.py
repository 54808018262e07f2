"""Clips come and go: uploader and microphone, those that are here, what is known of the one in hand, its sound."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from dashboard import clip_panel, uploads, widgets
from dashboard.frame import Choice
from dashboard.progress import duration
from dashboard.uploads import Upload
from dashboard.words import number
from dashboard.worker import Task
from ser_core import audio, ffmpeg, spectrogram
from ser_core.plots import clip as clip_plot

PRIVACY: Final = (
    "Nothing you upload is written to disk or kept: it is forgotten when you close or reload this page, unless you "
    "press Keep in my corpus."
)
TEACH: Final = """
**No clip yet.** Upload recordings of speech, or record one with the microphone. Each is placed among the {n:,} clips of
{names}:

- where it lands on the map, and which clips are nearest to it, to hear side by side;
- which emotions it is near to, how often such an answer is right, and whether it is unlike everything here;
- what is unusual about the voice, and how it changes over time in a clip of 4 seconds or more.

It takes about a second with features like eGeMAPS, longer with a large network.
"""
LEVEL: Final = "peak {} dB, mean (RMS) {} dB of full scale"
CLIPPED: Final = 1e-3
"""Share of samples at full scale from which on a recording is called distorted."""
OWN: Final = "Try it with a clip of the corpus"


def add() -> None:
    """Take files and recordings; what cannot be used gets a sentence, and the page goes on."""
    most, number_of = uploads.limits(), st.session_state.setdefault("_upload_round", 0)
    left, right = st.columns([1.5, 1], gap="medium")
    files: Any = left.file_uploader(
        "Upload clips",
        accept_multiple_files=True,
        max_upload_size=most.megabytes,
        key=f"_upload_files_{number_of}",
    )
    recording = right.audio_input("Or record one", key=f"_upload_voice_{number_of}")
    st.caption(_formats(most))
    if not files and recording is None:
        return
    uploads.forget_errors()
    with st.spinner("Reading …"):
        for name, content in uploads.received(files):
            uploads.add(name, content)
        if recording is not None:
            uploads.add(f"recording {number_of + 1}", uploads.received([recording])[0][1])
    again()


def again() -> None:
    """Draw the page anew, with an empty uploader."""
    st.session_state["_upload_round"] += 1
    st.rerun()


def problems() -> None:
    """Say what was wrong with the files that came last."""
    if sentences := [widgets.plain(one) for one in uploads.errors()]:
        st.error(sentences[0] if len(sentences) == 1 else "\n".join(f"- {one}" for one in sentences))


def here(upload: Upload) -> None:
    """Show the clips of this session, the one in hand marked; forget one, or all."""
    names = labels(uploads.all_())
    st.session_state["_upload_pills"] = upload.id

    def taken() -> None:
        uploads.take(st.session_state["_upload_pills"])

    def gone(*ids: str) -> None:
        for one in ids:
            uploads.forget(one)
        uploads.forget_errors()

    with st.container(horizontal=True, vertical_alignment="center"):
        arguments: dict[str, Any] = {"format_func": lambda one: widgets.plain(names[one]), "required": True}
        arguments |= {"label_visibility": "collapsed", "width": "content"}
        st.pills("Your clips", list(names), key="_upload_pills", on_change=taken, **arguments)
        one, every = ("Forget", "Forget all") if len(names) > 1 else ("Forget this clip", "")
        st.button(one, on_click=gone, args=(upload.id,), key="_upload_forget")
        if every:
            st.button(every, on_click=gone, args=tuple(names), key="_upload_forget_all")


def labels(clips: list[Upload]) -> dict[str, str]:
    """Return the clips' names by their ids; those of the same name get a number."""
    counts, seen, out = Counter(one.name for one in clips), Counter(), {}
    for one in clips:
        seen[one.name] += 1
        out[one.id] = f"{one.name} ({seen[one.name]})" if counts[one.name] > 1 else one.name
    return out


def teach(choice: Choice) -> None:
    """Say what to do while there is no clip, and offer one of the corpus to try it with."""
    st.markdown(TEACH.format(n=len(choice.found.clips), names=widgets.plain(", ".join(choice.names))))
    if st.button(OWN):
        _borrow(choice)
        again()


def sound(upload: Upload) -> None:
    """Show a clip: its name, a player, its waveform and spectrogram."""
    st.markdown(f"**{widgets.plain(labels(uploads.all_()).get(upload.id, upload.name))}**")
    clip = upload.clip

    def draw() -> Any:
        outline = spectrogram.outline(clip.signal, clip.sampling_rate)
        return clip_plot.figure(outline, spectrogram.mel_spectrogram(clip.signal, clip.sampling_rate))

    st.audio(uploads.remember(upload, "wav", lambda: audio.wav_bytes(clip.signal, clip.sampling_rate)))
    figure = uploads.remember(upload, "picture", draw)
    alt = "Waveform and mel spectrogram of your clip"
    st.plotly_chart(figure, key="upload_picture", config=clip_panel.PICTURE, alt=alt)


def facts(upload: Upload) -> None:
    """Show what the file is, and what was done to it."""
    clip, info = upload.clip, upload.clip.info
    channels = {1: "1 (mono)", 2: "2 (stereo)"}.get(info.channels, str(info.channels))
    peak, mean = (number(value, digits=1) for value in (clip.peak_db, clip.rms_db))
    known = {
        "length": f"{clip.seconds:.2f} s" if clip.seconds < 60 else f"{clip.seconds:.0f} s",
        "sampling rate": f"{info.sampling_rate:,} Hz",
        "channels": channels,
        "format": f"{info.container}, {info.sample_format}",
        "level": LEVEL.format(peak, mean),
        "converted": "; ".join(clip.converted) or "nothing",
    }
    if clip.clipped:
        bad = ": it may sound distorted" if clip.clipped > CLIPPED else ""
        share = f"{100 * clip.clipped:.2g} %" if clip.clipped >= 1e-4 else "under 0.01 %"
        known["clipping"] = f"{share} of the samples at full scale{bad}"
    widgets.facts(known | {f"{name} (in the file)": text for name, text in clip.tags.items()})


def waiting(upload: Upload, choice: Choice) -> None:
    """Show how far a clip's vectors are, with a way to stop; draw the page anew when they are there."""
    task = uploads.task(upload, choice)
    if task is None:
        return
    if task.stopped:
        st.info("Stopped before the clip was placed.")
        if st.button("Place it", type="primary", key=f"_upload_again_{upload.id}"):
            uploads.again(upload, choice)
            st.rerun()
        return
    _bar(upload, choice)


@st.fragment(run_every="0.5s")
def _bar(upload: Upload, choice: Choice) -> None:
    task = uploads.task(upload, choice)
    if task is None or task.ended:
        st.rerun(scope="app")
    line = st.container(horizontal=True, vertical_alignment="center")
    steps = f": {task.done:,} of {task.total:,} steps" if task.total > 1 else ""
    name = widgets.plain(upload.name)
    encoder = widgets.plain(str(choice.found.recipe["name"]))
    share = task.done / task.total if task.total else 0.0
    line.progress(share, text=f"Listening to {name} with {encoder}{steps}. You can go on elsewhere meanwhile.")
    if line.button("Stop", key=f"_upload_stop_{upload.id}"):
        task.stop()


def follow(choice: Choice) -> None:
    """Draw the page anew as soon as another of the clips has its vectors."""
    tasks = [uploads.task(one, choice) for one in uploads.all_()]
    if waits := [task for task in tasks if task is not None and not task.ended]:
        _watch(waits)


@st.fragment(run_every="0.5s")
def _watch(tasks: Sequence[Task]) -> None:
    if any(task.ended for task in tasks):
        st.rerun(scope="app")


def _formats(most: uploads.Limits) -> str:
    more = "AIFF and M4A" if ffmpeg.program() else "AIFF (M4A needs ffmpeg, which is not installed here)"
    length = duration(most.seconds)
    return f"WAV, FLAC, OGG, MP3, {more}; at most {most.megabytes} MB and {length} each; larger files are not sent."


def _borrow(choice: Choice) -> None:
    """Take the file of a clip of the corpus, the one in hand or else the middle one, as if it were uploaded."""
    found = choice.found
    held = clip_panel.row_in_hand(found)
    row = len(found.clips) // 2 if held is None else held
    clip = found.clips.iloc[row]
    root = next(one.root for one in choice.located if one.name == clip["corpus"])
    uploads.forget_errors()
    file = root / clip["file"]
    try:
        content = file.read_bytes()
    except OSError as error:
        uploads.refuse(f"{file} cannot be read ({error.strerror}): is the folder of {clip['corpus']} still there?")
        return
    uploads.add(f"{file.name} (a clip of {clip['corpus']})", content)
