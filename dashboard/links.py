"""The choices of a session, and the link in the address bar that restores them.

Choices live in `st.session_state` under their own names, so that they last from page to page; widgets only show them.
They are read from the address once, when a session starts, and written back whenever a page has been drawn. The names
are not bound to widgets by Streamlit itself: a value that does not fit is to be named in a sentence, not dropped.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

import streamlit as st

Value = TypeVar("Value")

NAMES: Final = {
    "corpora": "corpora",
    "encoder": "encoder",
    "layer": "layer",
    "method": "map",
    "dims": "dims",
    "scaling": "scaling",
    "colour": "colour",
    "clip": "clip",
    "camera": "camera",
    "shape": "shape",
    "levels": "levels",
    "emotions": "emotions",
    "space": "space",
    "covariance": "covariance",
    "shrink": "shrink",
    "sorting": "order",
    "pair": "pair",
    "part": "part",
    "turn": "turn",
    "mirror": "mirror",
    "learn": "learn",
    "teacher": "teacher",
    "learner": "learnt_from",
    "diary": "diary",
    "person": "person",
    "period": "period",
    "span": "span",
    "placing": "show",
    "models": "models",
    "tested_on": "tested_on",
    "run": "run",
    "other_run": "other_run",
    "cell": "cell",
    "cells": "cells",
    "differing": "differing",
    "vae": "vae",
    "autoencoder": "autoencoder",
    "beside": "beside",
    "drawn_clip": "drawn",
    "making": "making",
    "transfer": "transfer",
    "learnt_on": "learnt_on",
    "tried_on": "tried_on",
    "four": "of",
    "folds": "folds",
    "adapted": "adapted",
    "numbers": "numbers",
    "fold": "fold",
    "triad": "triad",
    "place": "where",
    "attribution": "attribution",
    "number": "number",
    "other_encoder": "other_encoder",
    "other_layer": "other_layer",
}
"""Name in the session -> name in the link."""
NUMBERS: Final = ("layer", "dims", "turn", "fold", "number", "other_layer")
LISTS: Final = ("corpora", "emotions", "pair", "tried_on", "four")
CLIP_DIGITS: Final = 12
"""Hex digits of a clip's SHA-256 in a link."""
LONGEST: Final = 60
"""Characters of a bad value that are repeated to the reader."""


def restore() -> None:
    """Take the choices of the link that this session was opened with; later calls do nothing but forget old notes."""
    st.session_state["_notes"] = []
    if "_linked" in st.session_state:
        return
    st.session_state["_linked"] = set()
    for name, param in NAMES.items():
        if param in st.query_params and name not in st.session_state:
            st.session_state[name] = _parsed(name, st.query_params[param])
            st.session_state["_linked"].add(name)


def settle(name: str, options: Sequence[Value], *, default: Value, show: Callable[[Value], str] = str) -> Value:
    """Return the session's choice if it is among the options, else the default; say so where a link asked for it.

    ``show`` gives the words for an option; a link may also name an option by them.
    """
    value: Any = st.session_state.get(name)
    if value not in options:
        value = next((option for option in options if show(option) == value), value)
    if value not in options:
        if value is not None and name in st.session_state["_linked"]:
            note(
                f"The link asks for {NAMES[name]} “{str(value)[:LONGEST]}”, which is not here: showing {show(default)}."
            )
        value = default
    st.session_state["_linked"].discard(name)
    st.session_state[name] = value
    return value


def from_link(name: str) -> bool:
    """Say whether a choice came with the link and has not been looked at yet; ask once."""
    asked = name in st.session_state["_linked"]
    st.session_state["_linked"].discard(name)
    return asked


def note(sentence: str) -> None:
    """Keep a sentence to be shown above the page."""
    if sentence not in st.session_state["_notes"]:
        st.session_state["_notes"].append(sentence)


def notes() -> list[str]:
    """Return the sentences that came up in this run."""
    return st.session_state["_notes"]


def publish() -> None:
    """Write the choices into the address bar."""
    values = {param: _written(name, st.session_state.get(name)) for name, param in NAMES.items()}
    wanted = {param: text for param, text in values.items() if text}
    if wanted != st.query_params.to_dict():
        st.query_params.from_dict(wanted)


def _parsed(name: str, text: str) -> Any:
    if name in LISTS:
        return [unquote(part) for part in text.split(",") if part]
    if name == "camera":
        return _numbers(text)
    if name in NUMBERS and text.isdecimal() and len(text) < 9:
        return int(text)
    return text


def _numbers(text: str) -> tuple[float, ...]:
    """Return the numbers of a camera; none if there is anything else among them."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        return ()


def _written(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "camera":
        return ",".join(f"{number:g}" for number in value)
    if name in LISTS:
        return ",".join(quote(part, safe="") for part in value)  # a word may hold a comma
    return str(value)[:CLIP_DIGITS] if name == "clip" else str(value)
