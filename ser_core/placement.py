"""A clip of one's own among the clips of a corpus: where it lands, what it is near to, and how unusual it is.

    from ser_core import placement

    atlas = placement.atlas("emodb", "egemaps")
    print(atlas.place("clip.wav").summary())

What concerns the corpus (its map, the check on unseen speakers, the plane) is computed once and kept in the cache. Of
the clip nothing is kept: it is read, and answered for.

A summary has these parts, which are those of ``ser place --json`` for each file. What cannot be told is None, and
``lacking`` says why; shares and probabilities are 0-1, lengths and times in seconds, levels in dB of full scale.

- ``corpora``, ``encoder``, ``map``: what it was placed among. ``exact`` is true of PCA; else ``error`` is how far off
  clips land (`Ground.error`).
- ``clip``: ``sha256`` of the file, ``file`` as it came (rate in Hz), then what was decoded from it (`Decoded`).
- ``point``: coordinates on the map. ``same_recording``: the clip of the corpus that is this very recording; then
  everything below was learnt from it, too.
- ``named``: the emotion by each way (`Placed.named`). ``further_than`` (`Placed.further`), ``outlying`` above 0.99.
- ``emotions``: of each the Mahalanobis ``distance``, its chi-square ``tail``, how many clips ``of_nearest`` have it,
  and its ``probability``.
- ``nearest``: up to ten clips, nearest first; ``distance`` is Euclidean, between values scaled as for the map.
- ``plane``: ``valence`` and ``arousal`` from -1 to 1, as ``learnt_from`` that corpus; the share ``share_within`` of
  clips truly lie within ``valence_within`` of the one, and as many within ``arousal_within`` of the other.
- ``unusual``: eGeMAPS measures, the furthest out first (`ser_core.voice.Deviation`; ``value`` in openSMILE's unit).
- ``path``: the same for windows of a clip of four seconds or more.
- ``recognisers``: what each trained model (`ser_core.runs`) of these corpora says: the ``probability`` of every
  emotion; and with which ``uar`` it recognised its test clips, of speakers that it had learnt from unless
  ``speaker_independent``. Where ``taught``, it had learnt from this very recording. Of a model with several folds, the
  first one answers.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from ser_core import catalogue, embeddings, landing, maps, recognisers, unseen
from ser_core.analyses import AnalysisError
from ser_core.answers import Atlas, Placed, placed
from ser_core.background import Plane, encoder_of, measures, reference, teach
from ser_core.cache import Cache
from ser_core.geometry.projection import Scaling
from ser_core.tracks import PlacementError, Progress, Track, Vectors, vectors, voice_of

__all__ = [
    "Atlas",
    "Placed",
    "PlacementError",
    "Plane",
    "Track",
    "Vectors",
    "atlas",
    "encoder_of",
    "measures",
    "placed",
    "reference",
    "teach",
    "vectors",
    "voice_of",
]

Made = TypeVar("Made")
STEPS: Final = 300
"""Percent of the map, of the check on unseen speakers and of the plane."""


def atlas(
    corpora: str | Sequence[str],
    encoder: str,
    *,
    method: str = "pca",
    dimensions: int = 3,
    layer: int = -1,
    scaling: Scaling | None = None,
    teacher: str | None = None,
    cache: Cache | None = None,
    progress: Progress = lambda *_: None,
) -> Atlas:
    """Prepare what clips are placed among; what is not kept yet is computed and kept.

    Parameters
    ----------
    corpora
        A corpus, several with commas between, or a sequence of them; each is embedded with ``encoder``.
    encoder
        A name of `ser_core.encoders`, ``run:<id>``, ``hf:<hub id or folder>``, or a key of the cache.
    method, dimensions, layer, scaling
        Of the map: ``pca`` or ``umap``, 2 or 3 dimensions; by default the scaling that suits the encoder.
    teacher
        The corpus that valence and arousal are learnt from; by default the first of ``corpora`` that can teach.
    progress
        Gets the steps done, and how many there are.

    Raises
    ------
    CorpusError
        If there is no such corpus.
    EmbeddingError
        If one is not embedded with the encoder.
    PlacementError
        If the encoder that made the embeddings is not here.
    ProjectionError
        If there are too few clips for a map.
    """
    cache = cache or Cache.default()
    names = tuple(catalogue.split(corpora) if isinstance(corpora, str) else dict.fromkeys(corpora))
    sources = {name: catalogue.get(cache, name) for name in (*names, *([teacher] if teacher else []))}
    store = embeddings.find_store(list(sources.values()), encoder, cache=cache)
    parts = {name: embeddings.load(source, store, cache=cache) for name, source in sources.items()}
    found = embeddings.join([parts[name] for name in names])
    made = encoder_of(found.recipe, corpora=names, cache=cache)
    view = maps.view(found, layer=layer, method=method, n_components=dimensions, scaling=scaling, seed=maps.SEED)
    drawn = maps.draw(found, view, cache=cache, progress=_share(progress, 0))
    ground = landing.ground(found, drawn)
    how: dict[str, Any] = {"layer": view.layer, "scaling": view.scaling, "cache": cache}
    candidates = {teacher: parts[teacher]} if teacher else {name: parts[name] for name in names}
    lacking = [
        f"what more clips of {name} would add: {part.n_pending} are not embedded, run `ser embed {name} {made.name}`"
        for name, part in parts.items()
        if part.n_pending
    ]
    yardstick = _told(lacking, lambda: measures(found, ground))
    checked = _told(lacking, lambda: unseen.check(found, **how, progress=_share(progress, 1)))
    plane = _told(lacking, lambda: teach(candidates, **how, progress=_share(progress, 2)))
    usual = _told(lacking, lambda: reference(found, cache=cache))
    models, refused = recognisers.available(cache, names)
    progress(STEPS, STEPS)
    whys = tuple(dict.fromkeys([*lacking, *refused]))
    return Atlas(names, found, made, ground, yardstick, checked, plane, usual, whys, tuple(models))


def _told(lacking: list[str], make: Callable[[], Made]) -> Made | None:
    """Return what can be told of a corpus; where it cannot, add the reason to ``lacking``."""
    try:
        return make()
    except (AnalysisError, PlacementError) as error:
        lacking.append(str(error))
        return None


def _share(progress: Progress, step: int) -> Progress:
    """Return a progress that counts in percent of one step of three."""
    return lambda done, total: progress(100 * step + 100 * done // max(total, 1), STEPS)
