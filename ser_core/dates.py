"""When a clip was recorded: what its corpus says, or its file name."""

import re
from datetime import date, datetime
from typing import Any, Final

import pandas as pd

_DATE: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)(-?)(\d\d)\2(\d\d)(?!\d)")
_TIME: Final = re.compile(r"[T_ /-](\d\d)([-:.]?)(\d\d)(?:\2(\d\d))?(?!\d)")


def when(clips: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return when each clip was recorded, and what says so.

    ``recorded_at`` counts where it is given, by the clock of its own time zone. Elsewhere it is the last possible date
    in ``file``, folders included: ``2026-03-01`` or ``20260301``, and right after it, if there, a time: one of
    ``T _ - /`` or a space, then ``08-15``, ``0815``, ``08-15-30`` or ``081530``. Without a time it is midnight.

    Returns
    -------
    tuple[pd.Series, str]
        Times without time zone, NaT where nothing is known, with the index of ``clips``; and ``recorded_at``,
        ``file names``, ``recorded_at and file names`` or ``no dates``.
    """
    given = pd.Series(pd.NaT, index=clips.index, dtype="datetime64[us]")
    if "recorded_at" in clips:
        given = pd.Series([_given(value) for value in clips["recorded_at"]], clips.index, dtype="datetime64[us]")
    named = pd.Series([_in_name(str(file)) for file in clips["file"]], clips.index, dtype="datetime64[us]")
    sources = (("recorded_at", given.notna()), ("file names", given.isna() & named.notna()))
    return given.fillna(named), " and ".join(name for name, used in sources if used.any()) or "no dates"


def clock(value: Any) -> Any:
    """Return a time (ISO 8601 or a time already) by the clock of its own time zone, without zone; NaT for nothing.

    Raises
    ------
    ValueError
        If it is no time.

    Examples
    --------
    >>> clock("2026-03-29T08:15+02:00")
    Timestamp('2026-03-29 08:15:00')
    """
    if pd.isna(value):
        return pd.NaT
    if isinstance(value, str):
        value = value.strip()
    # pandas knows "now" and "today", which no recording says, and takes a number for one, too
    if not isinstance(value, date) and not (isinstance(value, str) and value[:4].isdigit()):
        raise ValueError(f"{value!r} is no time in ISO 8601")
    return pd.to_datetime(value, format="ISO8601").tz_localize(None)


def _given(value: Any) -> Any:
    try:
        return clock(value)
    except ValueError:
        return pd.NaT


def _in_name(file: str) -> Any:
    for found in reversed(list(_DATE.finditer(file))):
        try:
            day = datetime(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:  # month 13: a number that is no date
            continue
        time = _TIME.match(file, found.end())
        hour, minute, second = (int(time[k] or 0) for k in (1, 3, 4)) if time else (0, 0, 0)
        possible = hour < 24 and minute < 60 and second < 60
        return day.replace(hour=hour, minute=minute, second=second) if possible else day
    return pd.NaT
