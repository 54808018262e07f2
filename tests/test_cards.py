"""The registry of models against the papers' recipes."""

import subprocess
import sys

from ser_core.encoders import ENCODERS, PICTURES
from ser_core.models.cards import CARDS, Training


def test_every_model_of_the_papers_is_there_in_order() -> None:
    assert list(CARDS) == ["forest", "svm", "ridge", "mlp", "cnn3", "cnn4", "cnn5", "cnn_mlp", "cnn_transformer"]
    assert all(name == card.name for name, card in CARDS.items())
    assert len({card.title for card in CARDS.values()}) == len(CARDS)


def test_inputs_are_encoders_that_exist() -> None:
    for card in CARDS.values():
        assert card.vectors in {None, *ENCODERS}
        assert card.picture in {None, *PICTURES}
        assert card.vectors or card.picture


def test_recipes_are_those_of_the_papers() -> None:
    assert {name for name, card in CARDS.items() if card.training is None} == {"forest", "svm", "ridge"}
    assert CARDS["forest"].shares == CARDS["svm"].shares == CARDS["ridge"].shares == (0.0, 0.3)
    for name in ("mlp", "cnn3", "cnn4", "cnn5", "cnn_mlp"):
        assert CARDS[name].shares == (0.15, 0.15)
    for name in ("cnn3", "cnn4", "cnn5"):
        training = CARDS[name].training
        assert training == Training(50, 64, 1e-3, weight_decay=5e-5, clip_norm=1.0, plateau=3, patience=10)
    assert {name for name, card in CARDS.items() if card.augments} == {"cnn3", "cnn4", "cnn5", "cnn_transformer"}
    assert [name for name, card in CARDS.items() if card.pretrains] == ["cnn3"]
    for name in ("mlp", "cnn_mlp"):
        training = CARDS[name].training
        assert training is not None
        assert (training.batch_size, training.learning_rate) == (32, 1e-3)
    assert [name for name, card in CARDS.items() if card.scaling == "minmax"] == ["cnn_mlp"]


def test_listing_the_models_loads_no_library_of_theirs() -> None:
    code = "import sys, ser_core.models.cards; print({'torch', 'sklearn', 'pandas'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
