import numpy as np

from ser_core.sampling import stratified

STRATA = ["joy"] * 700 + ["anger"] * 299 + ["fear"]


def test_every_stratum_keeps_its_share():
    rows = stratified(STRATA, 100, seed=0)
    words, counts = np.unique(np.array(STRATA)[rows], return_counts=True)
    assert dict(zip(words, counts, strict=True)) == {"anger": 29, "fear": 1, "joy": 70}
    assert len(set(rows)) == 100
    assert (np.diff(rows) > 0).all()


def test_all_rows_where_they_fit():
    assert stratified(STRATA, 1000, seed=0).tolist() == list(range(1000))


def test_the_seed_decides():
    assert (stratified(STRATA, 50, seed=1) == stratified(STRATA, 50, seed=1)).all()
    assert (stratified(STRATA, 50, seed=1) != stratified(STRATA, 50, seed=2)).any()


def test_more_strata_than_rows():
    assert len(stratified([str(n) for n in range(100)], 10, seed=0)) == 10
