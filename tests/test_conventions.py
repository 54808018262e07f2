"""Rules of the house that no linter knows."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ser_core
from ser_core.corpora import KINDS
from ser_core.encoders import ENCODERS

ROOT = Path(__file__).parent.parent
SOURCES = [*ROOT.glob("ser_core/**/*.py"), *ROOT.glob("dashboard/**/*.py")]


def modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(ser_core.__path__, "ser_core."):
        if not info.name.startswith("ser_core.cli"):  # typer makes options of plain parameters
            yield importlib.import_module(info.name)


def public_functions() -> list[Any]:
    found = []
    for module in modules():
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                found.append(pytest.param(value, id=f"{module.__name__}.{name}"))
    return found


@pytest.mark.parametrize("function", public_functions())
def test_public_functions_keep_the_conventions(function: Any) -> None:
    parameters = list(inspect.signature(function).parameters.values())
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.name != "cache"]
    assert inspect.getdoc(function), "no docstring"
    assert len(positional) <= 3, "too many positional parameters"
    assert not any(one.annotation in {bool, "bool"} for one in positional), "a boolean by position"
    assert all(one.default is one.empty for one in parameters if one.name == "seed"), "a seed with a default"


def test_nothing_reads_a_pickle_or_runs_code_of_a_checkpoint() -> None:
    for file in SOURCES:
        text = file.read_text()
        assert not re.search(
            r"allow_pickle=True|pickle\.loads?\(|torch\.load\(|joblib|trust_remote_code.{1,4}True", text
        ), file


def test_salted_hashes_are_in_no_key() -> None:
    for file in SOURCES:
        assert not re.search(r"(?<![\w.])hash\(", file.read_text()), file


def test_the_readme_lists_every_corpus_and_encoder() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in (*ENCODERS, *KINDS):
        assert f"`{name}`" in readme, name


def test_the_project_speaks_of_itself_alone() -> None:
    for file in (*SOURCES, ROOT / "README.md", ROOT / "Makefile", ROOT / "pyproject.toml"):
        assert not re.search(r"/(work|root|tmp)/|\bTODO\b|\bFIXME\b", file.read_text()), file
