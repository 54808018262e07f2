"""Timelines: dates from tables and names, shares, bootstrap and density, each against another way to compute it."""

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, gaussian_kde, norm

from ser_core import timeline as diary
from ser_core.embeddings import Embeddings
from ser_core.timeline import BANDWIDTH, QUADRANTS, REACH, Timeline, TimelineError, timeline, when

AT = pd.Timestamp


def points(n: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal([0.1, -0.2], [0.5, 0.3], size=(n, 2))


def make(where: Any, times: Any, period: Any = "day") -> Timeline:
    return timeline(np.asarray(where, float), times, person="Ada", period=period, seed=5)


def same(a: Any, b: Any) -> None:
    for field in fields(a):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


# ---- dates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("2026-03-01.wav", "2026-03-01"),
        ("20260301.wav", "2026-03-01"),
        ("2026-03-02/08-15.wav", "2026-03-02 08:15"),  # a folder a day
        ("diary/2026-03-02T08-15.wav", "2026-03-02 08:15"),
        ("rec_20260302_081530.m4a", "2026-03-02 08:15:30"),
        ("2026-03-02 08-15-30.wav", "2026-03-02 08:15:30"),
        ("20260302-0815.wav", "2026-03-02 08:15"),
        ("2026-03-02/2026-03-03T23-59.wav", "2026-03-03 23:59"),  # the last date counts
        ("2026-03-02/12345678.wav", "2026-03-02"),  # a number that is no date
        ("20260302_0815_2.wav", "2026-03-02 08:15"),
        ("20260302_07.wav", "2026-03-02"),  # a take, no time
        ("2026-03-02T25-00.wav", "2026-03-02"),  # no such hour
        ("2026-03-02T10-75.wav", "2026-03-02"),
        ("2024-02-29.wav", "2024-02-29"),
        ("2026-02-29.wav", None),
        ("2026-13-01.wav", None),
        ("20261301.wav", None),
        ("2026-0301.wav", None),
        ("120260301.wav", None),
        ("03-01-06-01-02-01-12.wav", None),
        ("wav/03a01Fa.wav", None),
    ],
)
def test_dates_in_file_names(file: str, expected: str | None) -> None:
    times, source = when(pd.DataFrame({"file": [file]}))
    if expected is None:
        assert times.isna().all()
        assert source == "no dates"
    else:
        assert times[0] == AT(expected)
        assert source == "file names"


def test_recorded_at_goes_before_the_name_and_gaps_are_filled_from_it() -> None:
    clips = pd.DataFrame(
        {
            "file": ["2026-01-01.wav", "2026-01-02.wav", "x.wav"],
            "recorded_at": [AT("2026-03-01 10:00"), pd.NaT, pd.NaT],
        },
        index=[7, 3, 5],
    )
    times, source = when(clips)
    assert source == "recorded_at and file names"
    assert list(times.index) == [7, 3, 5]
    assert times[7] == AT("2026-03-01 10:00")
    assert times[3] == AT("2026-01-02")
    assert pd.isna(times[5])
    assert when(clips.iloc[:1])[1] == "recorded_at"
    assert when(clips.iloc[2:])[1] == "no dates"


@pytest.mark.parametrize(
    "value",
    [
        AT("2026-03-01 23:30", tz="America/New_York"),
        "2026-03-01T23:30-05:00",
        AT("2026-03-01 23:30"),
        "2026-03-01 23:30",
    ],
)
def test_the_clock_of_the_place_counts(value: Any) -> None:
    times, _ = when(pd.DataFrame({"file": ["a.wav", "b.wav"], "recorded_at": [value, None]}))
    assert times.dt.tz is None
    assert times[0] == AT("2026-03-01 23:30")
    assert pd.isna(times[1])


def test_zones_may_be_mixed_and_aware_times_go_straight_in() -> None:
    mixed = [AT("2026-03-01 23:30", tz="Asia/Tokyo"), AT("2026-03-01 23:30", tz="UTC"), AT("2026-03-01 08:00"), "soon"]
    times, _ = when(pd.DataFrame({"file": ["a", "b", "c", "d"], "recorded_at": mixed}))
    assert list(times[:3].dt.strftime("%d %H:%M")) == ["01 23:30", "01 23:30", "01 08:00"]
    assert pd.isna(times[3])
    aware = pd.date_range("2026-03-01 23:30", periods=2, freq="D", tz="America/New_York")
    assert [span.label for span in make(points(2), aware).spans] == ["2026-03-01", "2026-03-02"]


def test_words_that_pandas_takes_for_times_are_none() -> None:
    words = ["now", "today", "nan", "NaT", "", 5.0, True]
    times, source = when(pd.DataFrame({"file": ["x.wav"] * len(words), "recorded_at": words}))
    assert times.isna().all()
    assert source == "no dates"


# ---- spans ----------------------------------------------------------------------------------------------------------


def test_days_with_clips_make_spans_and_days_without_make_none() -> None:
    result = make(points(4), ["2026-03-05 23:59", "2026-03-02 00:00", "2026-03-02 23:59", "2026-03-05 00:00"])
    assert [(span.label, span.start, span.n_clips) for span in result.spans] == [
        ("2026-03-02", AT("2026-03-02"), 2),
        ("2026-03-05", AT("2026-03-05"), 2),
    ]
    assert (result.whole.label, result.whole.n_clips) == ("2026-03-02 to 2026-03-05", 4)
    assert (result.person, result.period, result.n_undated) == ("Ada", "day", 0)


def test_weeks_start_on_monday() -> None:
    times = pd.date_range("2026-02-28 12:00", periods=11, freq="D")  # from a Saturday to a Tuesday
    spans = make(points(11), times, "week").spans
    assert [(span.label, span.n_clips) for span in spans] == [
        ("week of 2026-02-23", 2),
        ("week of 2026-03-02", 7),
        ("week of 2026-03-09", 2),
    ]
    assert all(span.start.day_name() == "Monday" for span in spans)


def test_the_order_of_clips_does_not_matter() -> None:
    where = points(40)
    times = AT("2026-03-02") + pd.to_timedelta(np.random.default_rng(0).integers(0, 240, 40), "h")
    order = np.random.default_rng(1).permutation(40)
    one, other = make(where, times), make(where[order], times[order])
    same(one.whole, other.whole)
    assert len(one.spans) == len(other.spans)
    for a, b in zip(one.spans, other.spans, strict=True):
        same(a, b)


def test_a_span_does_not_depend_on_the_others() -> None:
    where, times = points(16), ["2026-03-02"] * 8 + ["2026-03-03"] * 8
    both, alone = make(where, times), make(where[8:], times[8:])
    same(both.spans[1], alone.spans[0])


def test_undated_clips_are_left_out_and_counted() -> None:
    where = points(5)
    result = make(where, ["2026-03-02", None, "2026-03-02", pd.NaT, "2026-03-02"])
    assert (result.whole.n_clips, result.n_undated) == (3, 2)
    np.testing.assert_allclose(result.whole.centre, where[[0, 2, 4]].mean(axis=0), atol=1e-12)


def test_one_clip_a_day() -> None:
    result = make([[0.3, 0.4], [-1, 0]], ["2026-03-02", "2026-03-03"])
    span = result.spans[0]
    assert span.intensity == pytest.approx(0.5)
    assert (span.dispersion, span.intensity_95, span.dispersion_95) == (None, None, None)
    assert span.quadrants.tolist() == [1, 0, 0, 0]
    rows = diary.table(result)
    assert rows["dispersion"].isna().all()
    assert make([[0.3, 0.4]], ["2026-03-02 10:00"]).whole.label == "2026-03-02"


def test_intensity_and_dispersion_by_hand() -> None:
    span = make([[0.6, 0.8], [-0.6, 0.8], [0, -0.5], [0, 0.5]], ["2026-03-02"] * 4).spans[0]
    np.testing.assert_allclose(span.centre, [0, 0.4], atol=1e-15)
    assert span.intensity == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert span.dispersion == pytest.approx(np.sqrt((0.52 + 0.52 + 0.81 + 0.01) / 4))


# ---- quadrants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(4))
def test_a_quadrant_holds_the_half_axis_it_begins_with(turn: int) -> None:
    first = np.array([[1, 0], [0.5, 1e-9], [0.1, 0.9], [1e-9, 0.3]])  # of the first quadrant
    where = first @ np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turn)  # 90 degrees counter-clockwise each
    where = np.where(where == 0, -0.0 * turn, where)
    assert make(where, ["2026-03-02"] * 4).whole.quadrants.tolist() == np.eye(4)[turn].tolist()
    assert QUADRANTS[turn] == (
        f"{'pleasant' if where[2, 0] > 0 else 'unpleasant'}, {'activated' if where[2, 1] > 0 else 'quiet'}"
    )


def test_the_centre_is_in_no_quadrant_and_far_clips_count() -> None:
    whole = make([[0, 0], [9, 9], [-1, 1], [-1, -1]], ["2026-03-02"] * 4).whole
    assert whole.quadrants.tolist() == [0.25, 0.25, 0.25, 0]


def test_shares_have_wilson_intervals() -> None:
    for n in (1, 2, 6, 37, 84):
        found = diary.wilson(np.arange(n + 1), n)
        for k in range(n + 1):
            expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
            np.testing.assert_allclose(found[k], expected, atol=1e-9)
    where = points(11)
    whole = make(where, ["2026-03-02"] * 11).whole
    k = int(((where[:, 0] < 0) & (where[:, 1] < 0)).sum())
    assert 0 < k < 11
    assert whole.quadrants[2] == pytest.approx(k / 11)
    np.testing.assert_allclose(whole.quadrants_95[2], binomtest(k, 11).proportion_ci(0.95, method="wilson"), atol=1e-9)


# ---- bootstrap ------------------------------------------------------------------------------------------------------


def test_intervals_are_those_of_a_slow_loop() -> None:
    where = points(9)
    where = where[np.lexsort((where[:, 1], where[:, 0]))]
    span = make(where, ["2026-03-02"] * 9).spans[0]
    counts = np.random.default_rng(5).multinomial(9, np.full(9, 1 / 9), size=1000)
    intensity, dispersion = [], []
    for draw in counts:
        drawn = np.repeat(where, draw, axis=0)
        intensity.append(np.linalg.norm(drawn, axis=1).mean())
        dispersion.append(np.sqrt(np.mean(np.linalg.norm(drawn - drawn.mean(axis=0), axis=1) ** 2)))
    np.testing.assert_allclose(span.intensity_95, np.quantile(intensity, [0.025, 0.975]), atol=1e-9)
    np.testing.assert_allclose(span.dispersion_95, np.quantile(dispersion, [0.025, 0.975]), atol=1e-9)


def test_few_clips_have_no_interval() -> None:
    four, five = make(points(9), ["2026-03-02"] * 4 + ["2026-03-03"] * 5).spans
    assert four.intensity_95 is four.dispersion_95 is None
    assert four.dispersion
    assert five.intensity_95
    assert five.dispersion_95


def test_clips_all_alike_have_no_width() -> None:
    span = make(np.full((6, 2), 0.7), ["2026-03-02"] * 6).spans[0]
    assert span.dispersion == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(span.dispersion_95, (0, 0), atol=1e-7)
    np.testing.assert_allclose(span.intensity_95, np.full(2, 0.7 * np.sqrt(2)), atol=1e-12)


# ---- density --------------------------------------------------------------------------------------------------------


def test_density_is_that_of_scipy() -> None:
    where = points(12)
    result = make(where, ["2026-03-02"] * 12)
    # scipy scales its kernel by the covariance of the data: that of whitened data is the identity
    white = np.linalg.inv(np.linalg.cholesky(np.cov(where.T)))
    kde = gaussian_kde(white @ where.T, bw_method=BANDWIDTH)
    across, up = np.meshgrid(result.grid, result.grid)
    flat = np.array([across.ravel(), up.ravel()])
    direct = np.mean(norm.pdf(flat[:, None, :] - where.T[:, :, None], scale=BANDWIDTH).prod(axis=0), axis=0)
    np.testing.assert_allclose(result.whole.density.ravel(), direct, atol=1e-9)
    own = make((white @ where.T).T, ["2026-03-02"] * 12)
    np.testing.assert_allclose(own.whole.density.ravel(), kde(flat), atol=1e-9)


def test_rows_are_arousal_and_columns_valence() -> None:
    result = make([[1.0, -0.5]], ["2026-03-02"])
    row, column = np.unravel_index(result.whole.density.argmax(), result.whole.density.shape)
    assert (result.grid[column], result.grid[row]) == pytest.approx((1.0, -0.5))
    assert (result.grid[0], result.grid[-1]) == (-REACH, REACH)


def test_density_integrates_to_the_share_inside() -> None:
    where = np.array([[0, 0], [1.4, -1.3], [1.5, 0], [2.5, 0.3]])
    result = make(where, ["2026-03-02"] * 4)
    total = np.trapezoid(np.trapezoid(result.whole.density, result.grid, axis=1), result.grid)
    inside = norm.cdf(REACH, where, BANDWIDTH) - norm.cdf(-REACH, where, BANDWIDTH)
    assert total == pytest.approx(inside.prod(axis=1).mean(), abs=2e-3)
    assert total < 0.7


# ---- one person among several, export, errors ------------------------------------------------------------------------


def embedded(**columns: Any) -> Embeddings:
    clips = pd.DataFrame({"emotion": "sadness", **columns})
    vectors = np.zeros((len(clips), 1, 2), np.float32)
    none = pd.DataFrame({"file": [], "reason": []})
    return Embeddings(
        vectors, clips, {"name": "x", "layers": ["a"], "dim": 2}, tuple(map(str, range(len(clips)))), none
    )


def test_the_person_with_most_dated_clips_is_followed() -> None:
    files = ["a.wav", "b.wav", "c.wav", "2026-03-01.wav", "2026-03-02.wav", "2026-03-03_2.wav"]
    found = embedded(file=files, speaker=["x", "x", "x", "y", "y", "z"])
    where = points(6)
    result, source = diary.of(found, where)
    assert (result.person, source, result.whole.n_clips) == ("y", "file names", 2)
    np.testing.assert_allclose(result.whole.centre, where[3:5].mean(axis=0))
    assert diary.of(found, where, person="z", period="week")[0].spans[0].label == "week of 2026-03-02"
    with pytest.raises(TimelineError, match=r"^no clip of 'w': expected one of x, y, z$"):
        diary.of(found, where, person="w")
    with pytest.raises(
        TimelineError, match="none of the 3 clips of x has a date: give a column recorded_at in metadata"
    ):
        diary.of(found, where, person="x")


def test_the_table_has_a_row_for_every_span() -> None:
    result = make(points(8), ["2026-03-02"] * 6 + ["2026-03-04"] * 2)
    table = diary.table(result)
    assert table["start"].tolist() == ["2026-03-02", "2026-03-04"]
    first, span = table.iloc[0], result.spans[0]
    assert (first["person"], first["span"], first["n_clips"]) == ("Ada", "2026-03-02", 6)
    assert (first["valence"], first["arousal"]) == tuple(span.centre)
    assert (first["intensity_low"], first["intensity_high"]) == span.intensity_95
    assert (first["dispersion"], first["dispersion_low"]) == (span.dispersion, span.dispersion_95[0])
    assert first["unpleasant_quiet"] == span.quadrants[2]
    assert (first["unpleasant_quiet_low"], first["unpleasant_quiet_high"]) == tuple(span.quadrants_95[2])
    assert table.filter(like="_low").iloc[1, :2].isna().all()


@pytest.mark.parametrize(
    ("where", "times", "period", "text"),
    [
        (points(3), ["2026-03-02"] * 2, "day", r"a row of 2 for each of the 2 times, got \(3, 2\)"),
        (np.zeros((2, 3)), ["2026-03-02"] * 2, "day", r"for each of the 2 times, got \(2, 3\)"),
        ([[0, np.nan], [0, 0]], ["2026-03-02"] * 2, "day", "points should be finite, 1 rows are not"),
        (points(2), ["2026-03-02"] * 2, "month", "period 'month': expected day or week"),
        (points(2), [None, None], "day", "none of the 2 clips of Ada has a date: .*such as 2026-03-01T08-15.wav"),
    ],
)
def test_errors_say_what_is_missing(where: Any, times: Any, period: str, text: str) -> None:
    with pytest.raises(TimelineError, match=text):
        make(where, times, period)


def test_it_says_that_it_is_no_diagnosis() -> None:
    assert "It is no diagnosis" in diary.STATEMENT
    assert diary.STATEMENT.count(". ") == 1
