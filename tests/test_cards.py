"""The registry of models against the papers' recipes."""

import subprocess
import sys

from ser_core.encoders import ENCODERS, PICTURES
from ser_core.models.cards import CARDS, Training, Tuning


def test_every_model_of_the_papers_is_there_in_order() -> None:
    first = ["forest", "svm", "ridge", "mlp", "cnn3", "cnn4", "cnn5", "cnn_mlp", "cnn_transformer"]
    assert list(CARDS) == [*first, "head", "partial", "last-layers", "lora"]
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


def test_models_on_a_pretrained_encoder_are_those_of_the_papers() -> None:
    assert {name for name, card in CARDS.items() if card.weighs} == {"head", "partial", "last-layers", "lora"}
    head, partial, last = (CARDS[name] for name in ("head", "partial", "last-layers"))
    assert head.training == Training(5, 32, 1e-4, label_smoothing=0.1)  # P1: Adam, 5 epochs, 80/10/10
    assert (head.tuning, head.shares) == (None, (0.1, 0.1))
    assert partial.tuning == Tuning("transformer", 1e-5, plateau=0, annealing=0.9)  # P0: two rates
    assert partial.training is not None
    assert (partial.training.learning_rate, partial.training.label_smoothing) == (1e-4, 0.0)
    assert last.tuning == Tuning("last", 1e-4, weight_decay=0.01, blocks=2)  # P1: AdamW, blocks 10 and 11 of 12
    assert last.training == Training(10, 16, 1e-4, weight_decay=0.01, label_smoothing=0.1)
    assert all(card.scaling == "none" for card in CARDS.values() if card.weighs)


def test_listing_the_models_loads_no_library_of_theirs() -> None:
    code = "import sys, ser_core.models.cards; print({'torch', 'sklearn', 'pandas'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
