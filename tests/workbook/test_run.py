"""What a notebook says and draws from: markdown that keeps money and percent, seeded numbers."""

import pytest
from IPython.display import Markdown

from xcoll.workbook import run


@pytest.fixture
def here(tiny, monkeypatch):
    monkeypatch.delenv("XCOLL_STEP", raising=False)
    return run.start("04_sum")


@pytest.fixture
def said(here, monkeypatch):
    shown: list[Markdown] = []
    monkeypatch.setattr(run, "display", shown.append)
    return lambda text: (here.say(text), shown[-1].data)[1]


def test_money_is_no_formula_and_percent_does_not_break(said):
    assert said("from $1.2M to $3k") == r"from \$1.2M to \$3k"
    assert said(r"already \$5") == r"already \$5"
    assert said("$x^2$ stays") == "$x^2$ stays"
    assert said("32.0 % of it") == "32.0\u00a0% of it"


def test_a_label_and_a_seed_give_the_same_numbers(here):
    first = here.rng("book", 1).random(3)
    assert (here.rng("book", 1).random(3) == first).all()
    assert (here.rng("book", 2).random(3) != first).any()
    assert (here.rng("lows", 1).random(3) != first).any()


def test_paths_start_at_the_project(here):
    assert here.path("data/numbers.csv") == here.project.root / "data" / "numbers.csv"
