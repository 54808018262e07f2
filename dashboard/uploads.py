"""The clips that a session uploaded or recorded: in its memory alone, and gone when its page is closed.

Neither the disk nor `st.cache_data` and `st.cache_resource`, which all sessions share, ever see one.
"""

import hashlib
import threading
import tomllib
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard import data
from dashboard.frame import Choice
from dashboard.worker import Task, Worker
from ser_core import audio, placement
from ser_core.audio import AudioError, Decoded
from ser_core.cache import Cache
from ser_core.encoders import Encoder
from ser_core.errors import SerError
from ser_core.store import VectorStore

LIMITS: Final = Path(__file__).parent.parent / ".streamlit" / "limits.toml"
WAIT: Final = 1.2
"""Seconds in which a clip's vectors are waited for; what takes longer gets a bar."""
TOGETHER: Final = 300_000_000
"""Bytes of memory that the clips of one session may take, as files and decoded."""
LONGEST_NAME: Final = 80
"""Characters of a file's name that are shown."""
_MODEL: Final = threading.Lock()
"""One large model at a time, whoever asks: two would share the same processor and memory."""


class LimitsError(SerError, ValueError):
    """A file of limits that cannot be understood."""


@dataclass(frozen=True)
class Limits:
    """The largest file in megabytes (10^6 bytes), and the longest clip in minutes."""

    megabytes: int
    minutes: float

    @property
    def bytes(self) -> int:
        """Bytes of the largest file."""
        return self.megabytes * 1_000_000

    @property
    def seconds(self) -> float:
        """Length of the longest clip."""
        return self.minutes * 60


@dataclass(frozen=True)
class Upload:
    """A clip of this session: ``name`` is to be shown as text and is no path; ``digest`` is the SHA-256 of ``data``."""

    id: str
    name: str
    data: bytes
    clip: Decoded
    digest: str


@dataclass(eq=False)
class _Box:
    """All that a session holds of its clips."""

    uploads: dict[str, Upload] = field(default_factory=dict)
    in_hand: str | None = None
    added: int = 0
    errors: list[str] = field(default_factory=list)
    tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    results: dict[tuple[str, Hashable], Any] = field(default_factory=dict)
    worker: Worker = field(default_factory=Worker)

    def clear(self) -> None:
        self.worker.stop()
        for part in (self.uploads, self.errors, self.tasks, self.results):
            part.clear()
        self.in_hand = None


def limits() -> Limits:
    """Return what may be uploaded: the limits of `LIMITS`, and no larger files than the server lets through.

    Raises
    ------
    LimitsError
        If the file does not say.
    """
    try:
        said = tomllib.loads(LIMITS.read_text("utf-8"))
        most, minutes = said["megabytes"], said["minutes"]
    except (OSError, KeyError, ValueError) as error:
        raise LimitsError(f"{LIMITS.name}: expected megabytes = 50 and minutes = 10, or others ({error})") from error
    numbers = isinstance(most, int) and isinstance(minutes, int | float)
    if not numbers or most < 1 or minutes <= 0:
        raise LimitsError(f"{LIMITS.name}: megabytes = {most!r}, minutes = {minutes!r}: expected numbers above 0")
    return Limits(min(most, st.get_option("server.maxUploadSize")), minutes)


def stay_in_memory() -> None:
    """Have the server keep what it receives in memory: it would put files above 1 MB into the temporary folder."""
    MultiPartParser.spool_max_size = (st.get_option("server.maxUploadSize") + 2) * 2**20


def all_() -> list[Upload]:
    """Return the clips of this session, the oldest first."""
    return list(_box().uploads.values())


def in_hand() -> Upload | None:
    """Return the clip that is looked at."""
    box = _box()
    return box.uploads.get(box.in_hand or "")


def take(id: str) -> None:  # noqa: A002
    """Take one of the clips in hand."""
    box = _box()
    if id in box.uploads:
        box.in_hand = id


def add(name: str, content: bytes) -> Upload | None:
    """Decode a file and take it in hand; None where it cannot be used: `errors` then has a sentence on it.

    ``name`` is only ever shown. A file that is there already is not there twice.
    """
    box, most, shown = _box(), limits(), printable(name)
    digest = hashlib.sha256(content).hexdigest()
    known = next((one for one in box.uploads.values() if one.digest == digest), None)
    if known is None:
        held = sum(len(one.data) + one.clip.signal.nbytes for one in box.uploads.values())
        if held + len(content) > TOGETHER:
            refuse(f"{shown}: this page holds {held / 1e6:.0f} MB of clips already: forget some of them first.")
            return None
        try:
            clip = audio.decode(content, max_seconds=most.seconds, max_bytes=most.bytes)
        except AudioError as error:
            refuse(f"{shown}: {error.reason}.")
            return None
        box.added += 1
        known = box.uploads[str(box.added)] = Upload(str(box.added), shown, content, clip, digest)
    box.in_hand = known.id
    return known


def errors() -> list[str]:
    """Return what was wrong with the files that came last, a sentence each."""
    return _box().errors


def refuse(sentence: str) -> None:
    """Keep a sentence on a file that cannot be used."""
    _box().errors.append(sentence)


def forget_errors() -> None:
    """Drop these sentences, before other files come."""
    _box().errors.clear()


def forget(id: str) -> None:  # noqa: A002
    """Forget a clip and all that was computed of it; the last one that is left is then in hand."""
    box = _box()
    box.uploads.pop(id, None)
    for key in [key for key in box.tasks if key[0] == id]:
        box.tasks.pop(key).stop()
    for key in [key for key in box.results if key[0] == id]:
        box.results.pop(key)
    if box.in_hand == id:
        box.in_hand = next(reversed(box.uploads), None)


def forget_all() -> None:
    """Forget all clips and all that was computed of them."""
    _box().clear()


def received(files: list[UploadedFile]) -> list[tuple[str, bytes]]:
    """Return names and contents of what a widget received, which the server then no longer holds."""
    out = [(file.name, file.getvalue()) for file in files]
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    return out


def encoder(store: VectorStore) -> Encoder:
    """Return the encoder that made these embeddings.

    Raises
    ------
    PlacementError
        If it is not on this machine, or would give other numbers now.
    """
    return _encoder(str(data.cache().root), str(store.folder))


@st.cache_resource(max_entries=8, show_spinner="Looking for the encoder …")
def _encoder(root: str, folder: str) -> Encoder:
    return placement.encoder_of(VectorStore(Path(folder)).recipe, cache=Cache(Path(root)))


def vectors(upload: Upload, choice: Choice, *, first: bool = True) -> placement.Vectors | None:
    """Return a clip's vectors under the chosen encoder; None while they are computed, or where that was stopped.

    A thread of the session computes them; they are waited for a moment (`WAIT`) if this asks for them ``first``, before
    others that wait.

    Raises
    ------
    SerError
        If the encoder is not on this machine, or cannot encode the clip.
    """
    box, key = _box(), (upload.id, choice.store.key)
    if key not in box.tasks:
        box.tasks[key] = box.worker.ask(_job(upload.clip, encoder(choice.store)), first=first)
        if first:
            box.tasks[key].wait(WAIT)
    task = box.tasks[key]
    if task.error is not None and not task.stopped:
        raise task.error
    return task.result


def task(upload: Upload, choice: Choice) -> Task | None:
    """Return the work on a clip's vectors, None if nobody asked for them."""
    return _box().tasks.get((upload.id, choice.store.key))


def again(upload: Upload, choice: Choice) -> None:
    """Have the vectors of a clip computed once more when they are asked for."""
    _box().tasks.pop((upload.id, choice.store.key), None)


def remember(upload: Upload, key: Hashable, compute: Callable[[], Any]) -> Any:
    """Return what was computed of a clip under this key, in this session; the results of the last keys are kept."""
    results = _box().results
    if (upload.id, key) not in results:
        own = [one for one in results if one[0] == upload.id]
        for old in own[: max(0, len(own) - MOST_RESULTS + 1)]:
            del results[old]
        results[upload.id, key] = compute()
    return results[upload.id, key]


MOST_RESULTS: Final = 8
"""Results that are kept of a clip: of maps and plots looked at lately."""


def printable(name: str) -> str:
    r"""Return a file's name as it can be shown: one line, of sensible length, without what changes how text runs.

    Examples
    --------
    >>> printable("a\u202egnp.wav"), printable("")
    ('a?gnp.wav', 'clip without a name')
    """
    text = "".join(char if char.isprintable() else "?" for char in name.strip())
    if len(text) > LONGEST_NAME:
        text = f"{text[: LONGEST_NAME - 20]}…{text[-19:]}"
    return text or "clip without a name"


def _job(clip: Decoded, encoder: Encoder) -> Callable[[Callable[[int, int], None]], placement.Vectors]:
    def work(tell: Callable[[int, int], None]) -> placement.Vectors:
        with _MODEL if encoder.batched else nullcontext():
            return placement.vectors(clip, encoder, progress=tell)

    return work


def _box() -> _Box:
    """Return what this session holds, and see to it that it is emptied when the page is closed."""
    if "_uploads" not in st.session_state:
        st.session_state["_uploads"] = _Box()
    box = st.session_state["_uploads"]
    _held_by_page(box)
    return box


@st.cache_resource(scope="session", max_entries=1, show_spinner=False, on_release=lambda box: box.clear())
def _held_by_page(_box: _Box) -> _Box:
    """Hold the clips as long as the page is connected: Streamlit itself keeps a session's state for a while longer."""
    return _box
