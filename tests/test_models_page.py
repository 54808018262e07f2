"""The page of trained models through the entry file, without a browser."""

import dataclasses
import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score, roc_auc_score
from streamlit.testing.v1 import AppTest

from dashboard import models_compare, models_mistakes, models_train, models_why
from ser_core import catalogue, embeddings, encoders, experiments, importance, jobs, labels, runs, splits
from ser_core.cache import Cache
from ser_core.experiments import Plan
from ser_core.models.cards import CARDS

ROOT = Path(__file__).parent.parent
TESTS = Path(__file__).parent
SMALL = runpy.run_path(str(TESTS / "small_cache.py"))
SVM = Plan("svm", "tones", encoder="egemaps", c=0.01)
RANDOM = Plan("svm", "tones", encoder="egemaps", c=0.01, split="random")
MLP = Plan("mlp", "tones", encoder="egemaps", epochs=2, split="random")
CNN = Plan("cnn3", "tones", epochs=1, split="random")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The small cache with four runs; the labels of a dozen clips are wrong, so that there are mistakes."""
    folder = tmp_path_factory.mktemp("models")
    root = SMALL["make"](folder)
    table = pd.read_csv(folder / "tones" / "metadata.csv")
    table.loc[::5, "emotion"] = np.roll(table.loc[::5, "emotion"], 4)
    table.to_csv(folder / "tones" / "metadata.csv", index=False)
    for plan in (SVM, RANDOM, MLP, CNN):
        experiments.train(plan, cache=Cache(root), device="cpu", precision="float32")
    return root


def run_of(cache: Path, plan: Plan) -> runs.Run:
    return next(run for run in runs.ls(Cache(cache)) if run.facts["arguments"] == experiments.arguments(plan))


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.session_state["autoplay"] = False
    app.switch_page("views/models.py")
    for name, value in link.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.subheader]
    shown = [part.value for part in parts] + [part.proto.body for part in app.get("html")]
    return "\n".join(shown).replace("\\", "")


def figures(app: AppTest) -> dict[str, dict]:
    """Return the pictures by what they are called for those who cannot see them."""
    return {chart.proto.alt or str(number): json.loads(chart.proto.spec) for number, chart in enumerate(charts(app))}


def charts(app: AppTest):
    return app.get("plotly_chart")


def tables(app: AppTest) -> list[list[str]]:
    return [list(table.value.columns) for table in app.dataframe]


def predictions(cache: Path, plan: Plan) -> pd.DataFrame:
    """Read the test clips of a run straight from its files."""
    parts = [pd.read_csv(path) for path in sorted(run_of(cache, plan).folder.glob("predictions-*.csv"))]
    table = pd.concat(parts, ignore_index=True)
    return table[table["part"] == "test"].reset_index(drop=True)


def shares(table: pd.DataFrame) -> np.ndarray:
    return table[[f"p_{number}" for number in range(3)]].to_numpy()


def test_without_anything_the_page_says_what_to_do(tmp_path, monkeypatch):
    app = opened(tmp_path / "empty", monkeypatch)
    assert "a training needs a corpus" in texts(app)
    assert not app.error


def test_a_corpus_without_runs_teaches_and_can_be_trained_on(tmp_path, monkeypatch):
    app = opened(SMALL["make"](tmp_path), monkeypatch)
    assert "No model is trained on tones yet" in texts(app)
    app.session_state["models"] = "train"
    app.run()
    assert not app.exception
    assert "ser train svm tones" in [code.value for code in app.code]


def test_the_leaderboard_has_the_scores_of_the_predictions(small, monkeypatch):
    app = opened(small, monkeypatch)
    table = app.dataframe[0].value
    assert len(table) == 4
    fair = table["speakers"] == "unseen"
    assert fair.tolist() == sorted(fair, reverse=True)  # those that tell of new voices come first
    assert all(part["UAR"].is_monotonic_decreasing for _, part in table.groupby(fair))
    drawn = figures(app)["UAR of the runs with intervals; the table below lists them"]["layout"]["yaxis"]["ticktext"]
    assert [name.strip() for name in drawn] == list(table["run"])
    for plan, speakers in ((SVM, "unseen"), (RANDOM, "shared"), (MLP, "shared")):
        own = predictions(small, plan)
        truth, said = own["truth"], own["predicted"]
        title = experiments.title(plan).replace(" · tones", "")
        row = table[table["run"] == title].iloc[0]
        expected = [
            recall_score(truth, said, average="macro"),
            accuracy_score(truth, said),
            f1_score(truth, said, average="macro"),
            roc_auc_score(truth, shares(own), multi_class="ovr"),
        ]
        np.testing.assert_allclose(row[["UAR", "accuracy", "macro-F1", "AUC"]].to_numpy(float) / 100, expected)
        assert row["speakers"] == speakers
        assert row["input"] == "clean"
    best = table[table["speakers"] == "unseen"].iloc[0]
    assert f"Best on unseen speakers: **{best['run']}**" in texts(app)


def test_a_chosen_row_is_opened(small, monkeypatch):
    app = opened(small, monkeypatch)
    app.session_state["run"] = run_of(small, RANDOM).id
    app.run()
    assert f"In hand: **{experiments.title(RANDOM)}**" in texts(app)
    next(button for button in app.button if button.label == "Open this run").click().run()
    assert app.session_state["models"] == "run"
    assert "Not a result for new voices" in texts(app)


def test_a_run_on_unseen_speakers_is_called_so_and_one_on_shared_ones_is_not(small, monkeypatch):
    app = opened(small, monkeypatch, models="run", run=run_of(small, SVM).id)
    own = predictions(small, SVM)
    assert f"recognises **{100 * recall_score(own['truth'], own['predicted'], average='macro'):.1f} %**" in texts(app)
    assert "60 clips of 4 speakers that the model had not heard, each in one of 4 folds" in texts(app)
    assert not app.warning
    app = opened(small, monkeypatch, models="run", run=run_of(small, RANDOM).id)
    assert "that the model had not heard" not in texts(app)
    assert "4 speakers are in training and in the test" in app.warning[0].value


def test_the_matrix_shows_counts_and_a_cell_lists_its_clips_the_surest_first(small, monkeypatch):
    own = predictions(small, SVM)
    counts = confusion_matrix(own["truth"], own["predicted"])
    classes = run_of(small, SVM).classes
    off = np.argwhere(counts - np.diag(np.diag(counts)))
    assert len(off)
    i, j = off[0]
    name = f"{classes[i]} as {classes[j]}"
    app = opened(small, monkeypatch, models="run", run=run_of(small, SVM).id, cell=name, cells="counts")
    notes = figures(app)["Confusion matrix: rows are the true emotions, columns what they were taken for"]["layout"]
    written = {(note["y"], note["x"]): note["text"] for note in notes["annotations"]}
    assert written == {(row, column): str(counts[row, column]) for row, column in np.argwhere(counts).tolist()}
    listed = app.dataframe[0].value
    cell = own[(own["truth"] == i) & (own["predicted"] == j)]
    np.testing.assert_allclose(listed["sure"], np.sort(100 * cell[f"p_{j}"])[::-1])
    assert set(listed["emotion"]) == {classes[i]}
    assert set(listed["taken for"]) == {classes[j]}
    assert len(app.selectbox(key="_cell").options) == 2 + (counts > 0).sum()


def test_a_clip_in_hand_is_played_and_its_probabilities_drawn(small, monkeypatch):
    own = predictions(small, SVM)
    wrong = own[own["truth"] != own["predicted"]].iloc[0]
    app = opened(small, monkeypatch, models="run", run=run_of(small, SVM).id, clip=wrong["sha"][:12])
    classes = run_of(small, SVM).classes
    assert f"{classes[wrong['predicted']]}, but it is {classes[wrong['truth']]}" in texts(app)
    assert len(app.get("audio")) == 1
    assert "gender" in texts(app)  # what the corpus knows of it
    drawn = figures(app)["Probability of each emotion for this clip"]["data"][0]
    assert len(drawn["text"]) == 3
    assert f"{100 * wrong[['p_0', 'p_1', 'p_2']].max():.0f} %" in drawn["text"]


def test_a_run_that_is_not_here_is_said(small, monkeypatch):
    app = opened(small, monkeypatch, models="run", run="beefbeefbeef")
    assert "The link asks for run “beefbeefbeef”, which is not here" in app.warning[0].value


def test_the_link_of_a_run_brings_its_corpus(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    SMALL["make"](tmp_path / "more", name="other")
    catalogue.add(Cache(copied), "folder", tmp_path / "more" / "other")
    app = opened(copied, monkeypatch, models="run", run=run_of(small, MLP).id)
    assert app.session_state["tested_on"] == "tones"
    app.selectbox(key="_tested_on").select("other").run()
    assert "No model is trained on other yet" in texts(app)


def test_without_runs_it_begins_with_the_corpus_of_most_speakers(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    shutil.rmtree(copied / "runs")
    SMALL["make"](tmp_path / "more", name="a-diary")
    table = pd.read_csv(tmp_path / "more" / "a-diary" / "metadata.csv")
    table.assign(speaker="me").to_csv(tmp_path / "more" / "a-diary" / "metadata.csv", index=False)
    catalogue.add(Cache(copied), "folder", tmp_path / "more" / "a-diary")
    app = opened(copied, monkeypatch)
    assert app.selectbox(key="_tested_on").options == ["tones", "a-diary"]
    assert "No model is trained on tones yet" in texts(app)


def test_a_run_from_another_machine_opens_without_its_corpus(small, tmp_path, monkeypatch):
    shutil.copytree(small / "runs", tmp_path / "elsewhere" / "runs")
    one = predictions(small, SVM).iloc[0]
    link = {"models": "run", "run": run_of(small, SVM).id, "clip": one["sha"][:12]}
    app = opened(tmp_path / "elsewhere", monkeypatch, **link)
    assert "60 clips of 4 speakers" in texts(app)
    assert not app.get("audio")
    assert "cannot be played" in texts(app)
    app.session_state["models"] = "train"
    app.run()
    assert not app.exception
    assert "tones" in app.info[0].value


def test_two_runs_are_compared_on_the_clips_that_both_tested(small, monkeypatch):
    a, b = run_of(small, SVM), run_of(small, MLP)
    app = opened(small, monkeypatch, models="compare", run=a.id, other_run=b.id)
    one, other = predictions(small, SVM), predictions(small, MLP)
    both = one.merge(other, on="sha", suffixes=("_a", "_b"))
    right_a, right_b = (both[f"predicted_{side}"] == both[f"truth_{side}"] for side in "ab")
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    said = texts(app)
    assert f"on the {len(both)} clips that both tested" in said
    assert f"A alone is right on {only_a} clips, B alone on {only_b}" in said
    p = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert f"p = {p:.3f}" in said or "p < 0.001" in said
    assert "B had heard these speakers in training, the other had not" in app.warning[0].value
    differ = app.dataframe[1].value
    assert len(differ) == int((both["predicted_a"] != both["predicted_b"]).sum())
    app.session_state["differing"] = "a"
    app.run()
    assert len(app.dataframe[1].value) == only_a
    assert "tones does not say how many listeners recognised each clip" in said


def test_agreement_with_listeners_is_told_where_they_are_known(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    root = tmp_path / "tones"
    shutil.copytree(small.parent / "tones", root)
    table = pd.read_csv(root / "metadata.csv")
    table["recognised"] = np.linspace(0.2, 1.0, len(table))
    table.to_csv(root / "metadata.csv", index=False)
    catalogue.remove(Cache(copied), "tones")
    catalogue.add(Cache(copied), "folder", root, name="tones")
    link = {"models": "compare", "run": run_of(small, SVM).id, "other_run": run_of(small, RANDOM).id}
    said = texts(opened(copied, monkeypatch, **link))
    own = predictions(small, SVM)
    known = own["file"].map(table.set_index("file_name")["recognised"])
    sure = shares(own)[np.arange(len(own)), own["truth"]]
    rho = stats.spearmanr(sure, known).statistic
    assert f"rank correlation {rho:z.2f}".replace("-", "\u2212") in said
    assert "a listener on 60 %" in said


def test_what_is_said_of_listeners_goes_by_the_interval():
    assert models_compare._alike((0.01, 0.3)) == "What is hard for listeners is hard for it too"
    assert models_compare._alike((-0.3, -0.01)) == "What is hard for listeners is easier for it"
    assert models_compare._alike((-0.1, 0.3)).endswith("is not clear")


def test_the_better_of_two_runs_is_said_to_be_higher_whichever_it_is(small, monkeypatch):
    a, b = run_of(small, SVM), run_of(small, CNN)
    told = []
    for one, other in ((a, b), (b, a)):
        app = opened(small, monkeypatch, models="compare", run=one.id, other_run=other.id)
        said = next(part.value for part in app.markdown if "the UAR of" in part.value)
        found = re.search(r"UAR of (.) is higher by (\S+) points \(95 %: (\S+) to ([^)]+)\)", said)
        points, low, high = (float(value.replace("\u2212", "-")) for value in found.groups()[1:])
        assert points > 0
        assert low <= points <= high
        told.append(found.groups())
        differ = app.dataframe[1].value
        assert (differ["A: true"] - differ["B: true"]).abs().is_monotonic_decreasing
    assert {one[0] for one in told} == {"A", "B"}
    assert told[0][1:] == told[1][1:]


def test_only_a_like_training_tells_how_long_one_takes(small):
    clips, done = pd.DataFrame({"speaker": ["a", "b"] * 30}), [run_of(small, CNN)]
    assert models_train._about(CNN, clips, done)[2] == "at the speed of the last such run"
    for other in (dataclasses.replace(CNN, epochs=None), SVM):
        assert models_train._about(other, clips, done)[2] == "on two processor cores"


def test_the_premium_of_shared_speakers_is_a_pair_of_bars(small, monkeypatch):
    app = opened(small, monkeypatch, models="premium")
    table = app.dataframe[0].value
    assert list(table["model"]) == ["svm (egemaps, C 0.01)"]  # of the others there is one split only
    tested = [predictions(small, plan) for plan in (RANDOM, SVM)]
    uars = [recall_score(one["truth"], one["predicted"], average="macro") for one in tested]
    assert table["speakers shared"][0].startswith(f"{100 * uars[0]:.1f} (")
    assert table["speakers unseen"][0].startswith(f"{100 * uars[1]:.1f} (")
    assert table["premium (points)"][0].startswith(f"{100 * (uars[0] - uars[1]):z.1f} (".replace("-", "\u2212"))


def test_without_a_pair_the_premium_says_what_is_missing(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    shutil.rmtree(run_of(copied, SVM).folder)
    app = opened(copied, monkeypatch, models="premium")
    assert "No pair yet" in app.info[0].value
    assert "None of these runs was tested on unseen speakers" in texts(opened(copied, monkeypatch))


def test_every_model_and_split_is_explained():
    assert set(models_train.MODELS) == set(models_train.SECONDS) == set(CARDS)
    assert set(models_train.SPLITS) == set(splits.Split.__args__)


def test_a_training_starts_as_the_command_of_the_same_choices(small, monkeypatch):
    started = []
    monkeypatch.setattr(jobs, "start", lambda cache, arguments, *, title: started.append((arguments, title)))
    app = opened(small, monkeypatch, models="train")
    app.selectbox(key="_train_model").select("cnn3").run()
    app.selectbox(key="_train_split").select("random").run()
    app.toggle(key="_train_augment").set_value(True).run()
    app.toggle(key="_train_one_cycle").set_value(True).run()
    app.number_input(key="_train_epochs").set_value(7).run()
    app.selectbox(key="_train_rate").select(1e-4).run()
    app.selectbox(key="_train_smoothing").select(0.1).run()
    assert "one model" in texts(app).lower()
    next(button for button in app.button if button.label.startswith("Start training")).click().run()
    plan = Plan("cnn3", "tones", split="random", augment=True, epochs=7, learning_rate=1e-4, label_smoothing=0.1)
    plan = dataclasses.replace(plan, one_cycle=True)
    assert started == [(experiments.arguments(plan), experiments.title(plan))]


def test_tuning_a_pretrained_network_says_what_is_missing_and_starts_as_its_command(small, monkeypatch):
    started = []
    monkeypatch.setattr(jobs, "start", lambda cache, arguments, *, title: started.append((arguments, title)))
    app = opened(small, monkeypatch, models="train")
    app.selectbox(key="_train_model").select("last-layers").run()
    assert not [box for box in app.selectbox if box.label == "Normalise"]  # there are no vectors to standardise
    missing = "ser models fetch wav2vec2-base" in " ".join(one.value for one in app.info)
    assert missing == (encoders.encoder("wav2vec2-base").missing() is not None)
    app.toggle(key="_train_weighted").set_value(True).run()
    app.number_input(key="_train_blocks").set_value(3).run()
    app.selectbox(key="_train_encoder_rate").select(1e-5).run()
    app.selectbox(key="_train_labels").select("calm-neutral").run()
    becomes = dict(zip(*(app.dataframe[0].value[name] for name in ("the corpus's word", "becomes")), strict=True))
    words = catalogue.get(Cache(small), "tones").clips()["emotion"].unique()
    assert becomes == {word: labels.MAPS["calm-neutral"].of(word) for word in words}
    next(button for button in app.button if button.label.startswith("Start training")).click().run()
    plan = Plan("last-layers", "tones", labels="calm-neutral", weighted=True, blocks=3, encoder_rate=1e-5)
    assert started == [(experiments.arguments(plan), experiments.title(plan))]


def test_a_run_under_a_label_map_tells_what_became_of_each_word(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    assert "fewer or other emotions" not in texts(opened(copied, monkeypatch))
    word = run_of(copied, SVM).classes[0]
    (tmp_path / "own.csv").write_text(f"word,emotion\n{word},\n")
    labels.add(Cache(copied), "own", tmp_path / "own.csv")
    plan = Plan("svm", "tones", split="random", encoder="egemaps", labels="own")
    run = experiments.train(plan, cache=Cache(copied))
    assert "fewer or other emotions" in texts(opened(copied, monkeypatch))
    told = " ".join(one.proto.body for one in opened(copied, monkeypatch, run=run.id, models="run").get("html"))
    assert f"{word} → left out" in told
    assert all(f"{word} → {labels.get(Cache(copied), 'own').of(word) or 'left out'}" in told for word in run.classes)


def test_what_was_trained_already_is_offered_to_be_opened(small, monkeypatch):
    app = opened(small, monkeypatch, models="train")
    app.selectbox(key="_train_encoder").select("egemaps").run()
    app.selectbox(key="_train_c").select(0.01).run()
    assert "This was trained already" in texts(app)
    next(button for button in app.button if button.label == "Open that run").click().run()
    assert app.session_state["run"] == run_of(small, SVM).id
    assert app.session_state["models"] == "run"


def test_a_training_at_work_shows_its_curves_to_everybody_and_can_go_on_after_a_stop(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    run = run_of(copied, MLP)
    (run.folder / "predictions-1.csv").unlink()  # as if it had been stopped before its end
    arguments, title = experiments.arguments(MLP), experiments.title(MLP)
    with jobs.running(Cache(copied), arguments, title=title, waiting=lambda _: None) as job:
        job.report(2, 2, message="fold 1 of 1, epoch 1")  # the end is written at once
        for _ in range(2):  # two people look at it
            app = opened(copied, monkeypatch, models="train")
            assert "At work" in texts(app)
            assert "fold 1 of 1, epoch 1" in texts(app)
            assert "Loss and accuracy of each epoch so far" in figures(app)
            assert [button.label for button in app.button].count("Stop") == 1
            assert "Not finished" not in texts(app)
    app = opened(copied, monkeypatch, models="train")
    assert f"{title}: 0 of 1 folds done" in texts(app)
    started = []
    monkeypatch.setattr(jobs, "start", lambda cache, arguments, *, title: started.append(arguments))
    next(button for button in app.button if button.label == "Go on").click().run()
    assert started == [arguments]


def test_importance_is_computed_in_the_background_when_it_is_asked_for(small, tmp_path, monkeypatch):
    copied = copy(small, tmp_path)
    run = run_of(copied, RANDOM)
    arguments, title = importance.arguments(run, seed=importance.SEED), importance.title(run)
    started = []
    app = opened(copied, monkeypatch, models="run", run=run.id)
    assert "Not computed yet" in texts(app)
    assert "Fall of UAR by group of values" not in figures(app)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "start", lambda cache, arguments, *, title: started.append((arguments, title)))
        next(button for button in app.button if button.label.startswith("Find out")).click().run()
    assert not app.exception
    assert started == [(arguments, title)]
    with jobs.running(Cache(copied), arguments, title=title, waiting=lambda _: None) as job:
        job.report(16, 16)
        app = opened(copied, monkeypatch, models="run", run=run.id)
        assert "The groups are being shuffled" in texts(app)
        assert [button.label for button in app.button].count("Stop") == 1
        importance.of_run(run, cache=Cache(copied), seed=importance.SEED)
    app = opened(copied, monkeypatch, models="run", run=run.id)
    table = next(table.value for table in app.dataframe if "words" in table.value)
    assert table["n_values"].sum() == 88
    assert table["drop"].is_monotonic_decreasing
    assert len(figures(app)["Fall of UAR by group of values"]["data"][0]["text"]) == len(table) == 16
    assert not [button for button in app.button if button.label.startswith("Find out")]
    monkeypatch.setattr(models_why, "MOST", 5)
    app = opened(copied, monkeypatch, models="run", run=run.id)
    assert "The 5 groups that are missed most; the table has all 16" in texts(app)
    assert len(figures(app)["Fall of UAR by group of values"]["data"][0]["text"]) == 5


def test_saliency_is_drawn_for_the_emotion_that_was_named(small, monkeypatch):
    own = predictions(small, CNN).iloc[0]
    app = opened(small, monkeypatch, models="run", run=run_of(small, CNN).id, clip=own["sha"][:12])
    assert "What in the clip spoke for the emotion" not in figures(app)
    next(button for button in app.button if button.label == "Show what spoke for it").click().run()
    assert not app.exception
    assert "What in the clip spoke for the emotion" in figures(app)
    assert f"Orange spoke for {run_of(small, CNN).classes[own['predicted']]}" in texts(app)


def test_the_clips_of_a_cell_are_lit_in_the_map(small, monkeypatch):
    wanted = predictions(small, SVM)["sha"][:7]
    app = opened(small, monkeypatch)
    app.session_state["_lit"] = frozenset(wanted)
    app.session_state["dims"] = 2
    app.switch_page("views/explore.py").run()
    assert not app.exception
    assert "Clips (7 of 60)" in texts(app)
    found = embeddings.load(catalogue.get(Cache(small), "tones"), Cache(small).stores()[0], cache=Cache(small))
    files = {file for file, sha in zip(found.clips["file"], found.digests, strict=True) if sha in set(wanted)}
    assert set(app.dataframe[-1].value["file"]) == files


def test_two_cells_never_share_a_name(small):
    lists = models_mistakes.listings(run_of(small, SVM))
    cells = [one.cell for one in lists.values() if one.cell]
    counts = run_of(small, SVM).evaluation.confusion
    assert sorted(cells) == [tuple(cell) for cell in np.argwhere(counts).tolist()]
    assert sum(len(one.rows) for one in lists.values() if one.cell) == counts.sum()


def copy(cache: Path, folder: Path) -> Path:
    """Copy a cache, to change it."""
    return Path(shutil.copytree(cache, folder / "copy"))
