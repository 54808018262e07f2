"""Where corpora are to be had: files, sizes, checksums and licences, and whom to ask for the rest.

None of the addresses could be tried when this was written; each says where it was read. A checksum that nobody
publishes, or that could not be read anywhere, is None and never computed from a copy of our own.
"""

from dataclasses import dataclass
from typing import Final

from ser_core.downloads import Remote

MB: Final = 1_000_000
BY: Final = ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
BY_NC_SA: Final = ("CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/")
BY_NC_ND: Final = ("CC BY-NC-ND 4.0", "https://creativecommons.org/licenses/by-nc-nd/4.0/")
ODBL: Final = ("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/")


@dataclass(frozen=True)
class Archive:
    """One zip or tar archive; ``most_files`` and ``most_bytes`` are what may come out of it."""

    remote: Remote
    most_files: int
    most_bytes: int

    @property
    def room(self) -> int:
        """Bytes of disk that it takes, at most."""
        return self.remote.most_bytes + self.most_bytes

    @property
    def checked(self) -> str:
        """How it is checked."""
        return self.remote.digest or "no checksum is known, only whether the archive is whole"


@dataclass(frozen=True)
class Repository:
    """The files of one folder of a repository on GitHub that keeps them with Git LFS (`ser_core.lfs`).

    Attributes
    ----------
    tree
        The repository's list of files.
    files
        The address that ``<folder>/<name>`` is added to.
    folder, suffix
        Which files are wanted.
    n_files, n_bytes
        How many there are, and their size in all.
    most_bytes
        The size that one may have.
    """

    tree: Remote
    files: str
    folder: str
    suffix: str
    n_files: int
    n_bytes: int
    most_bytes: int

    @property
    def room(self) -> int:
        """Bytes of disk that they take, with a little for the list."""
        return self.n_bytes + self.tree.most_bytes

    @property
    def checked(self) -> str:
        """How they are checked."""
        return "each file against the repository's own list"


@dataclass(frozen=True)
class Source:
    """Where one corpus is to be had; ``kind`` is its name in `ser_core.corpora.KINDS`.

    ``licence`` is its name and address, as published there; ``page`` is for people.
    """

    kind: str
    licence: tuple[str, str]
    page: str
    where: Archive | Repository


RAVDESS: Final = Source(
    "ravdess",
    BY_NC_SA,
    "https://zenodo.org/records/1188976",
    # Size and checksum: Zenodo's own, repeated by many programs that checked them after downloading.
    Archive(
        Remote(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
            208_468_073,
            "md5:bc696df654c87fed845eb13823edef8a",
        ),
        most_files=2_000,
        most_bytes=800 * MB,
    ),
)
EMODB: Final = Source(
    "emodb",
    BY,
    "https://zenodo.org/records/7447302",
    # EmoDB 1.3.0 as audEERING publishes it: all 535 clips, without the listening test (erkennung.txt) that is in
    # http://emodb.bilderbar.info/download/download.zip, which has neither https nor a checksum. Size and checksum:
    # Zenodo's own, read in two programs that checked them. The archive says CC0 of itself, its page CC BY 4.0.
    Archive(
        Remote(
            "https://zenodo.org/records/7447302/files/emodb.zip?download=1",
            39_981_818,
            "md5:9d21362dbc5676ef3ab4745d83ced0db",
        ),
        most_files=1_000,
        most_bytes=100 * MB,
    ),
)
CAFE: Final = Source(
    "cafe",
    BY_NC_SA,
    "https://zenodo.org/records/1478765",
    # Address: nkululeko's description of CaFE. Zenodo shows a checksum on the page; it could not be read.
    Archive(
        Remote("https://zenodo.org/records/1478765/files/CaFE_48k.zip?download=1", 1_000 * MB),
        most_files=2_000,
        most_bytes=1_500 * MB,
    ),
)
TESS: Final = Source(
    "tess",
    BY_NC_ND,
    "https://doi.org/10.5683/SP2/E8H2MF",
    # Address and checksum: PaddlePaddle's paddle.audio.datasets.TESS. The publisher's own archive is made anew for
    # every download, so it has no checksum and cannot be gone on with.
    Archive(
        Remote(
            "https://bj.bcebos.com/paddleaudio/datasets/TESS_Toronto_emotional_speech_set.zip",
            600 * MB,
            "md5:1465311b24d1de704c4c63e4ccc470c7",
        ),
        most_files=7_000,
        most_bytes=900 * MB,
    ),
)
CREMA_D: Final = Source(
    "crema-d",
    ODBL,
    "https://github.com/CheyneyComputerScience/CREMA-D",
    # The address of the files: TensorFlow Datasets' crema_d; that of the list, and the number of files: programs that
    # downloaded them so; their size in all: the sum of the sizes in the repository's pointers.
    Repository(
        tree=Remote(
            "https://api.github.com/repos/CheyneyComputerScience/CREMA-D/git/trees/master?recursive=1", 20 * MB
        ),
        files="https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master",
        folder="AudioWAV",
        suffix=".wav",
        n_files=7442,
        n_bytes=605_899_936,
        most_bytes=2 * MB,
    ),
)
SOURCES: Final = {source.kind: source for source in (RAVDESS, EMODB, CAFE, CREMA_D, TESS)}
"""Source of each kind of corpus that is free to download."""
ON_REQUEST: Final = {
    "iemocap": ("IEMOCAP", "https://sail.usc.edu/iemocap/iemocap_release.htm"),
    "savee": ("SAVEE", "http://kahlan.eps.surrey.ac.uk/savee/"),
}
"""Corpora that their owners give to those who ask, and where to ask."""
