"""A longer clip in overlapping windows."""

from itertools import pairwise

import pytest

from ser_core.windows import windows

RATES = (8_000, 11_025, 16_000, 44_100)


@pytest.mark.parametrize("rate", RATES)
def test_clips_under_four_seconds_have_none(rate: int) -> None:
    assert windows(4 * rate - 1, rate) == []
    assert windows(0, rate) == []
    assert windows(1, rate) == []
    assert len(windows(4 * rate, rate)) == 5
    assert len(windows(4 * rate + 1, rate)) == 6


def test_by_hand() -> None:
    assert windows(4 * 16_000, 16_000) == [(start, start + 32_000) for start in (0, 8_000, 16_000, 24_000, 32_000)]
    assert windows(64_004, 16_000)[:2] == [(0, 32_000), (6_400, 38_400)]  # five equal steps, each under half a second


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [4, 4.001, 4.9999, 7.3, 59.99, 121.4, 121.5, 121.6, 240.9, 241, 241.1, 600, 3600.7])
def test_the_whole_clip_is_covered_by_windows_that_overlap(seconds: float, rate: int) -> None:
    n_samples = round(seconds * rate)
    found = windows(n_samples, rate)
    starts, stops = zip(*found, strict=True)
    widths = {stop - start for start, stop in found}
    hops = [after - before for before, after in pairwise(starts)]
    assert starts[0] == 0
    assert stops[-1] == n_samples
    assert len(widths) == 1
    width = widths.pop()
    assert width == (2 * rate if seconds <= 241 else width)
    assert max(hops) - min(hops) <= 1
    assert 0 < max(hops) <= width / 2 + 1
    assert len(found) <= 240
    if seconds <= 121:  # as close as 0.5 s, no closer than it takes to end where the clip ends
        assert max(hops) <= rate / 2 + 1
        assert len(found) == -(-(n_samples - 2 * rate) * 2 // rate) + 1
    if seconds > 122:
        assert len(found) == 240


def test_ten_minutes() -> None:
    found = windows(600 * 16_000, 16_000)
    assert len(found) == 240
    assert (found[0][1] - found[0][0]) / 16_000 == pytest.approx(4.98, abs=0.01)
    assert found[1][0] / 16_000 == pytest.approx(2.49, abs=0.01)
    assert found[-1][1] == 600 * 16_000


def test_odd_lengths_end_at_the_last_sample() -> None:
    for n_samples in range(64_000, 64_000 + 40_000, 997):
        found = windows(n_samples, 16_000)
        assert found[-1][1] == n_samples
        assert found == sorted(set(found))
