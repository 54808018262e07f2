"""The two clips of a comparison: which can be chosen, and all that is known of the chosen ones, of whichever kind."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dashboard import clip_panel, data, map_panel, nearest_panel, place_data, upload_panel, uploads
from dashboard.frame import Choice
from dashboard.place_data import Prepared
from dashboard.uploads import Upload
from dashboard.words import number
from ser_core import audio, contrast, embeddings, unseen
from ser_core.embeddings import Embeddings
from ser_core.encoders import EGEMAPS
from ser_core.maps import View
from ser_core.placement import Atlas

UPLOAD: Final = "upload:"
CLIP: Final = "clip:"
"""What the names of the two kinds begin with."""


@dataclass(frozen=True)
class Side:
    """One of the clips that are compared.

    Attributes
    ----------
    title, facts
        What it is called, and what is known of it: to be shown as text.
    signal
        Mono at ``rate``; a sentence where its sound cannot be had.
    x
        Scaled vector (dim,), as the map's are.
    point
        On the map, shape (n_components,).
    distances, probabilities, affect, voice
        To and of the emotions (E,), valence and arousal (2,), eGeMAPS values (88,); None where they are not known.
    row
        Of the corpora; None for an upload.
    nearest
        Rows of its nearest clips, nearest first.
    """

    title: str
    facts: dict[str, str]
    signal: NDArray[np.float32] | str
    rate: int
    digest: str
    x: NDArray[np.float64]
    point: NDArray[np.floating]
    distances: NDArray[np.float64] | None
    probabilities: NDArray[np.float64] | None
    affect: NDArray[np.float64] | None
    voice: NDArray[np.float32] | None
    row: int | None
    nearest: NDArray[np.int32]


def options(choice: Choice) -> dict[str, str]:
    """Return what can be chosen: uploads first, then every clip; name -> what to call it."""
    own = {f"{UPLOAD}{one}": f"your clip · {name}" for one, name in upload_panel.labels(uploads.all_()).items()}
    records = choice.found.clips.to_dict("records")
    return own | {name_of(clip): map_panel.clip_label(clip) for clip in records}


def name_of(clip: object) -> str:
    """Return the name under which a clip of the corpora (a record of the table) is chosen."""
    return f"{CLIP}{clip['corpus']}/{clip['file']}"  # pyright: ignore[reportIndexIssue]


def row_of(found: Embeddings, name: str) -> int | None:
    """Return the row of a chosen clip, None for an upload and for what is not here."""
    if not name.startswith(CLIP):
        return None
    names = CLIP + found.clips["corpus"].astype(str) + "/" + found.clips["file"].astype(str)
    return next(iter(np.flatnonzero((names == name).to_numpy(bool)).tolist()), None)


def upload_of(name: str) -> Upload | None:
    """Return the chosen upload, None for a clip of the corpora and for one that was forgotten."""
    return next((one for one in uploads.all_() if f"{UPLOAD}{one.id}" == name), None)


def side(name: str, choice: Choice, view: View, prepared: Prepared) -> Side | None:
    """Return all that is known of a chosen clip; None while an upload's vectors are computed.

    Raises
    ------
    SerError
        If an upload cannot be encoded.
    """
    upload = upload_of(name)
    if upload is None:
        row = row_of(choice.found, name)
        return None if row is None else _of_clip(row, choice, prepared)
    vectors = uploads.vectors(upload, choice)
    if vectors is None:
        return None
    placed = place_data.look(choice, view, upload, vectors, prepared).placed
    clip, scaler = upload.clip, prepared.atlas.ground.drawn.scaler
    return Side(
        upload_panel.labels(uploads.all_())[upload.id],
        _facts(upload),
        clip.signal,
        clip.sampling_rate,
        upload.digest,
        scaler.scale(vectors.whole[view.layer][None])[0],
        placed.point,
        placed.distances,
        placed.probabilities,
        placed.affect,
        vectors.voice,
        None,
        placed.landing.rows[0],
    )


def quick(choice: Choice, a: Side | None) -> dict[str, str]:
    """Return pairs worth comparing with A: name of the other -> what it is."""
    found = choice.found
    if a is None:
        return {}
    if a.row is not None and (partners := contrast.partners(found.clips, a.row)):
        emotion = str(found.clips["emotion"].iloc[a.row])
        return {_name(choice, one.row): _says(one, emotion) for one in partners}
    near = found.clips.iloc[a.nearest].to_dict("records")
    return {name_of(clip): f"near it: {map_panel.clip_label(clip)}" for clip in near}


def _name(choice: Choice, row: int) -> str:
    return name_of(choice.found.clips.iloc[row])


def _says(one: contrast.Partner, emotion: str) -> str:
    if one.kind == "other emotion":
        return f"same sentence, same speaker: {one.differs}"
    return f"same sentence, {emotion}: speaker {one.differs}"


def same(a: Side, b: Side) -> bool:
    """Say whether two clips are one recording: the same file, or the same samples in another format."""
    if a.digest == b.digest:
        return True
    sounds = (a.signal, b.signal)
    return all(isinstance(one, np.ndarray) for one in sounds) and np.array_equal(*sounds)


def unlike(atlas: Atlas, side: Side) -> bool:
    """Say whether an upload is out of distribution; clips of the corpus were measured with themselves in the means."""
    if side.row is not None or side.distances is None or atlas.unseen is None:
        return False
    return atlas.unseen.further(float(side.distances.min())) > unseen.OUTLYING


def _of_clip(row: int, choice: Choice, prepared: Prepared) -> Side:
    found, atlas = choice.found, prepared.atlas
    clip, drawn = found.clips.iloc[row], atlas.ground.drawn
    x = atlas.ground.x[row]
    return Side(
        PurePosixPath(clip["file"]).name,
        clip_panel.labels(clip),
        nearest_panel.sound(choice, row),
        audio.SAMPLING_RATE,
        found.digests[row],
        x,
        drawn.projection.coordinates[row],
        atlas.yardstick.measure(x[None])[0] if atlas.yardstick else None,
        _probabilities(row, atlas),
        _affect(row, prepared),
        _voice(row, atlas),
        row,
        drawn.neighbours[row],
    )


def _probabilities(row: int, atlas: Atlas) -> NDArray[np.float64] | None:
    """Return the probabilities of a clip's emotions, by a model that did not hear its speaker where that is known."""
    checked = atlas.unseen
    if checked is None:
        return None
    here = np.flatnonzero(checked.rows == row)
    vector = atlas.found.layer(atlas.ground.drawn.view.layer)[row][None]
    told = checked.probabilities[here[0]] if len(here) else checked.recogniser.probabilities(vector)[0]
    by_name = dict(zip(checked.names, told, strict=True))
    return np.array([by_name.get(name, 0.0) for name in atlas.emotions])


def _affect(row: int, prepared: Prepared) -> NDArray[np.float64] | None:
    """Return valence and arousal, by a plane that did not hear the clip's speaker where it learnt from its corpus."""
    atlas, taught = prepared.atlas, prepared.taught
    if atlas.plane is None:
        return None
    corpus = atlas.found.clips["corpus"].to_numpy(str)
    if taught is not None and corpus[row] == atlas.plane.teacher:
        within = int((corpus[:row] == corpus[row]).sum())
        here = np.flatnonzero(taught.rows == within)
        if len(here):
            return atlas.plane.scored.placed[here[0]]
    vector = atlas.found.layer(atlas.ground.drawn.view.layer)[row][None]
    return atlas.plane.map.place(vector.astype(np.float64))[0]


def _voice(row: int, atlas: Atlas) -> NDArray[np.float32] | None:
    """Return a clip's eGeMAPS values, None where they are not kept."""
    if atlas.voice is None:
        return None
    if atlas.found.recipe["name"] == EGEMAPS.name:
        return atlas.found.layer(-1)[row]
    digest = atlas.found.digests[row]
    kept = data.cache().vectors(embeddings.full_recipe(EGEMAPS)).read([digest]).vectors.get(digest)
    return None if kept is None else kept[-1]


def _facts(upload: Upload) -> dict[str, str]:
    clip = upload.clip
    level = f"peak {number(clip.peak_db, digits=1)} dB, mean (RMS) {number(clip.rms_db, digits=1)} dB of full scale"
    return {
        "from": "your clips",
        "length": f"{clip.seconds:.2f} s",
        "sampling rate": f"{clip.info.sampling_rate:,} Hz",
        "format": f"{clip.info.container}, {clip.info.sample_format}",
        "level": level,
    }
