"""Where what a notebook shows comes from: statement by statement, and up the chain."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from tests.workbook import programs
from tests.workbook.tracing import (
    FRAME,
    exhibits,
    followed,
    last,
    names,
    notebook,
    picture,
    said,
    table,
    whole,
)
from xcoll.errors import RunError
from xcoll.workbook import chain, parameters
from xcoll.workbook.review import trace
from xcoll.workbook.review.flow import package
from xcoll.workbook.review.flow.notebook import follow
from xcoll.workbook.review.flow.values import Value

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

RESTS = {
    "a name": ('x = run.read("a")\nrun.say(f"{x}")', {"a"}),
    "the last value of a name": ('x = run.read("a")\nx = run.read("b")\nrun.say(f"{x}")', {"b"}),
    "a parameter": ('run.say(f"{level}")', {"level"}),
    "a file": ('x = pd.read_csv(run.path(prices_file))\nrun.say(f"{x}")', {"prices_file"}),
    "a seed": ('rng = run.rng("x", level)\nrun.say(f"{rng.random()}")', {"level"}),
    "the run itself": ("x = run.provenance()\nrun.say(f'{x}')", {"manifest"}),
    "a sum": ('x = run.read("a") + 2 * run.read("b")\nrun.say(f"{x}")', {"a", "b"}),
    "an update": ('x = run.read("a")\nx += run.read("b")\nrun.say(f"{x}")', {"a", "b"}),
    "a pair": ('x, y = run.read("a"), run.read("b")\nrun.say(f"{y}")', {"b"}),
    "nested pairs": ('(x, y), z = (run.read("a"), run.read("b")), 1\nrun.say(f"{x}")', {"a"}),
    "a star": ('x, *y = [run.read("a"), run.read("b")]\nrun.say(f"{y}")', {"a", "b"}),
    "a walrus": ('y = (x := run.read("a")) + run.read("b")\nrun.say(f"{x}")', {"a"}),
    "an element": ('x = [run.read("a"), run.read("b")]\nrun.say(f"{x[1]}")', {"b"}),
    "the last element": ('x = [run.read("a"), run.read("b")]\nrun.say(f"{x[-1]}")', {"b"}),
    "an entry": ('x = {"k": run.read("a"), "l": run.read("b")}\nrun.say(f"{x[\'l\']}")', {"b"}),
    "a new entry": ('x = {}\nx["k"] = run.read("a")\nrun.say(f"{x}")', {"a"}),
    "a merged entry": (
        'x = {"k": run.read("a")}\nx |= {"l": run.read("b")}\nrun.say(f"{x[\'k\']}")', {"a"},
    ),
    "an attribute": ('x = plots.Thing()\nx.part = run.read("a")\nrun.say(f"{x}")', {"a"}),
    "append": ('x = []\nx.append(run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "append of a part": ('x = {"k": []}\nx["k"].append(run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "setdefault": ('x = {}\nx.setdefault(1, []).append(run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "update": ('x = {}\nx.update(k=run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "any method alone": ('x = plots.Thing()\nx.fill(run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "numpy in place": ('x = [1]\nnp.copyto(x, run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "another name": ('x = []\ny = x\ny.append(run.read("a"))\nrun.say(f"{x}")', {"a"}),
    "a container of it": (
        'x = []\ny = {"k": x}\nx.append(run.read("a"))\nrun.say(f"{y[\'k\']}")', {"a"},
    ),
    "its part in a container": (
        'x = []\ny = {"k": x}\ny["k"].append(run.read("a"))\nrun.say(f"{x}")', {"a"},
    ),
    "appended before it changed": (
        'x, y = [], []\ny.append(x)\nx.append(run.read("a"))\nrun.say(f"{y}")', {"a"},
    ),
    "not what it holds": (
        'x = run.read("a")\ny = {"k": x}\ny["l"] = run.read("b")\nrun.say(f"{x}")', {"a"},
    ),
    "a branch": (
        'x = 1\nif run.read("a") > 0:\n    x = run.read("b")\nrun.say(f"{x}")', {"a", "b"},
    ),
    "said in a branch": ('if run.read("a") > 0:\n    run.say("more")', {"a"}),
    "a loop": ('x = 0\nfor y in run.read("a"):\n    x += y\nrun.say(f"{x}")', {"a"}),
    "a loop that carries on": (
        'x, y = 0, 0\nfor z in run.read("a"):\n    x += y\n    y = run.read("b")\nrun.say(f"{x}")',
        {"a", "b"},
    ),
    "a loop that ends early": (
        'x = 0\nfor y in "abc":\n    if run.read("a"):\n        break\n    x += 1\nrun.say(f"{x}")',
        {"a"},
    ),
    "a loop over names": (
        'x = 0\nfor name in ("a", "b"):\n    x += run.read(f"{name}_set")\nrun.say(f"{x}")',
        {"a_set", "b_set"},
    ),
    "while": ('x = 0\nwhile x < run.read("a"):\n    x += 1\nrun.say(f"{x}")', {"a"}),
    "with": ('with plots.open(run.read("a")) as x:\n    run.say(f"{x}")', {"a"}),
    "try": (
        'try:\n    x = run.read("a")\nexcept KeyError:\n    x = run.read("b")\nrun.say(f"{x}")',
        {"a", "b"},
    ),
    "a comprehension": ('x = [y * level for y in run.read("a")]\nrun.say(f"{x}")', {"a", "level"}),
    "its condition": ('x = [y for y in (1, 2) if y > run.read("a")]\nrun.say(f"{x}")', {"a"}),
    "one by one": ('x = [run.read(n) for n in ("a", "b")]\nrun.say(f"{x[0]}")', {"a"}),
    "mapping of names": ('x = {n: run.read(n) for n in ("a", "b")}\nrun.say(f"{x[\'b\']}")', {"b"}),
    "its variable stays inside": ('y = 1\nx = [y for y in run.read("a")]\nrun.say(f"{y}")', set()),
    "a lambda": ('f = lambda x: x + run.read("a")\nrun.say(f"{f(level)}")', {"a", "level"}),
    "a lambda, later": (
        'y = 1\nf = lambda x: x + y\ny = run.read("a")\nrun.say(f"{f(1)}")', {"a"},
    ),
    "a generator, later": (
        'y = 1\ng = (x + y for x in (1, 2))\ny = run.read("a")\nrun.say(f"{sum(g)}")', {"a"},
    ),
    "a query": ('x = run.read("a").query("k == @level")\nrun.say(f"{x}")', {"a", "level"}),
    "a query from a name": (
        'text = "k == @level"\nx = run.read("a").query(f"{text} and l")\nrun.say(f"{x}")',
        {"a", "level"},
    ),
    "rows by a mask": ('x, y = run.read("a"), run.read("b")\nrun.say(f"{x[y > 0]}")', {"a", "b"}),
    "a deleted name": ('x = run.read("a")\ny = x\ndel x\nrun.say(f"{y}")', {"a"}),
    "read by the package": (
        'x = Ground.of(run.read)\nrun.say(f"{x}")',
        {"estimates", "universe", "parameters", "backtest_setting", "prices", "excursions"},
    ),
    "zip": ('for x, y in zip((1, 2), run.read("a")):\n    run.say(f"{y}")', {"a"}),
    "enumerate": ('for n, x in enumerate([run.read("a")]):\n    run.say(f"{x}")', {"a"}),
    "items": (
        'for n, x in {"k": run.read("a"), "l": run.read("b")}.items():\n    run.say(f"{x}")', {"b"},
    ),
    "get": ('x = {"k": run.read("a")}\nrun.say(f"{x.get(\'k\', level)}")', {"a", "level"}),
}  # fmt: skip


@pytest.mark.parametrize("case", RESTS)
def test_what_a_sentence_rests_on(case):
    source, expected = RESTS[case]
    found = last(source)
    assert found == expected or (case == "read by the package" and found <= expected and found)


def test_what_random_programs_say_rests_on_what_moves_it():
    tried = 0
    for seed in range(150):
        source = programs.Program(seed).source()
        moved = programs.moved(source)
        if moved is None:
            continue
        made = followed(source)
        assert made.problems == ()
        shown = [each for each in made.shown if each.kind == "text"]
        for name, places in moved.items():
            for place in places:
                slots = [part for part in shown[place].text if not isinstance(part, str)]
                assert name in names(shown[place].sources), source
                assert name in names({s for part in slots for s in part.origin.sources}), source
                tried += 1
    assert tried > 300


COLUMNS = {
    "of an artifact": ('x = run.read("a")', {"k": {"a"}, "l": {"a"}}),
    "assigned": ('x = run.read("a").assign(k=run.read("b"))', {"k": {"b"}, "l": {"a"}}),
    "set": ('x = run.read("a")\nx["k"] = level', {"k": {"level"}, "l": {"a"}}),
    "joined": (
        'x = run.read("a")[["k"]].join(run.read("b")[["l"]])', {"k": {"a"}, "l": {"a", "b"}},
    ),
    "evaluated": ('x = run.read("a").eval("k = l * @level")', {"k": {"a", "level"}, "l": {"a"}}),
    "chosen by a list": (
        'n = ["k", "l"]\nx = run.read("a").assign(k=level)[n]', {"k": {"level"}, "l": {"a"}},
    ),
    "sorted, in other rows": (
        'x = run.read("a").assign(k=level).sort_values("k").head(3)', {"k": {"level"}, "l": {"a"}},
    ),
    "other rows by another": (
        'x = run.read("a").assign(k=level)\nx = x[run.read("b") > 0]',
        {"k": {"level", "b"}, "l": {"a", "b"}},
    ),
    "as many rows as another says": (
        'x = run.read("a").assign(k=level).head(run.read("b"))',
        {"k": {"level", "b"}, "l": {"a", "b"}},
    ),
    "dropped and made anew": (
        'x = run.read("a").assign(k=level).drop(columns="k")', {"k": {"a"}, "l": {"a"}},
    ),
    "of nobody knows what": ('x = run.read("a").assign(k=level).T', {"k": {"a", "level"}}),
}  # fmt: skip


@pytest.mark.parametrize("case", COLUMNS)
def test_what_a_column_rests_on(case):
    source, expected = COLUMNS[case]
    (shown,) = followed(f'{source}\nrun.table(x, "Caption")').shown
    assert {name: names(shown.table.column(name).sources) for name in expected} == expected


PROBLEMS = {
    "a name of an artifact that is not written down": (
        "for x in run.read('a'):\n    run.read(x)", "which artifact",
    ),
    "a name that is not set": ("run.say(f'{nothing}')", "'nothing'"),
    "a class": ("class Thing:\n    pass", "class is not followed"),
    "a function": ("def f():\n    pass", "function is not followed"),
    "everything of a module": ("from math import *", "name what is needed"),
    "a file that no parameter names": ("run.path('data/x.csv')", "no parameter names"),
    "no Python": ("%time x = 1", "not Python"),
    "a query that is not written down": ("run.read('a').query(run.read('b'))", "text of"),
    "a query that is none": ("run.read('a').query('k ==')", "not an expression"),
    "a name to save under": ("run.save(run.read('a'), 1)", "which artifact"),
    "a reader that nobody knows": ("plots.coverage(run.read, 1)", "is not written down in it"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_followed_is_said(case):
    source, words = PROBLEMS[case]
    problems = followed(f"x = 1\n{source}").problems
    assert problems
    assert all(problem.cell == "cell" for problem in problems)
    assert words in problems[0].what
    if case != "no Python":
        assert problems[0].line == (3 if "for x" in source else 2)


def test_what_the_package_reads_when_it_is_handed_the_reader():
    assert set(package.reads("xcoll.systemic.setting.Ground.of", 0)) >= {"universe", "parameters"}
    assert package.reads("xcoll.systemic.setting.Ground.of", "read")
    assert package.reads("xcoll.systemic.setting.Ground.of", 5) is None
    assert package.reads("xcoll.systemic.setting.Ground.nothing", 0) is None
    assert package.reads("xcoll.nowhere.thing", 0) is None
    assert package.reads("pandas.read_csv", 0) is None


def test_each_number_of_a_sentence_has_its_own_expression():
    source = (
        'one, two = run.read("made"), level\ncount = len(one)\n'
        'run.say(f"{count} of {two:.0%}, {money(one)}; fixed 7.")'
    )
    (exhibit,) = exhibits(("cell", source, said("12 of 99%, $1.50k; fixed 7.")))
    found = {number.text: number.origin for number in exhibit.numbers}
    assert list(found) == ["12", "99%", "$1.50k", "7"]
    assert found["12"].expression == "len(one)"
    assert found["12"].line == 2
    assert names(found["12"].sources) == {"made"}
    assert names(found["99%"].sources) == {"level"}
    assert found["$1.50k"].expression == "money(one)"
    assert found["7"] is None


def test_a_sentence_that_another_notebook_made_leads_to_its_cell():
    made = whole(("cell", 'run.points([run.read("made")["said"]])', said("- 3 rows at 99%")))
    (exhibit,) = made.exhibits["02_use"]
    rows, level = exhibit.numbers
    assert (rows.origin.notebook, rows.origin.cell) == ("01_make", "make")
    assert rows.origin.expression == "len(frame)"
    assert rows.origin.through == ("made",)
    assert {source.name for source in level.origin.sources} == {"01_make.level"}
    assert names(exhibit.sources) == {"made"}
    behind = {source.name for source in made.behind(exhibit.sources)}
    assert behind == {"made", "01_make.prices_file", "01_make.level"}
    assert made.saved("made").cell == "make"


def test_what_was_injected_is_a_parameter_still():
    injected = new_code_cell(
        "level = 0.5\nvenue = 'b'", id="injected", metadata={"tags": ["injected-parameters"]}
    )
    given = notebook(("cell", 'run.say(f"{level}")\nrun.read(f"{venue}_set")'))
    given.cells.insert(2, injected)
    read = []
    made = follow(given, "02_use", lambda name: read.append(name) or Value(), ["prices_file"])
    assert names(made.shown[0].sources) == {"level"}
    assert set(read) == {"b_set"}
    assert made.problems == ()


def test_an_artifact_of_a_notebook_that_is_not_upstream_is_no_source():
    for name in ("unknown", "aside"):
        nothing = whole(("cell", f'x = run.read("{name}")\nrun.say(f"{{x}}")', said("1")))
        with pytest.raises(RunError, match=rf"cell cell, line 1: no notebook .* '{name}'"):
            nothing.check("02_use")


LOOP = 'for row in run.read("made"):\n    run.say(f"{row} rows")\nrun.say(f"{level} in all")'


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_loop_says_as_often_as_it_says(times):
    outputs = [said(f"{n} rows") for n in range(times)] + [said("9 in all")]
    found = exhibits(("cell", LOOP, *outputs))
    assert [each.statement for each in found] == [
        *["run.say(f'{row} rows')"] * times,
        "run.say(f'{level} in all')",
    ]
    assert names(found[-1].sources) == {"level"}


def test_statements_that_look_alike_speak_in_their_order():
    source = 'x = run.read("made")\nrun.say(f"{x} rows")\nrun.say(f"{level} rows")'
    first, second = exhibits(("cell", source, said("3 rows"), said("5 rows")))
    assert names(first.sources) == {"made"}
    assert names(second.sources) == {"level"}


def test_outputs_find_their_statements_among_prints_and_figures():
    source = (
        'print(1)\nplots.paths(run.read("made"), f"{level} up");\nx = run.read("made")\n'
        'run.table(x.assign(cap_usd=level), f"{len(x)} caps")\nrun.say(f"{venue} is 5.")'
    )
    stream = nbformat.v4.new_output("stream", name="stdout", text="1\n")
    outputs = [stream, table(FRAME, "2 caps"), said("a is 5."), picture("0.99 up")]
    found = exhibits(("cell", source, *outputs))
    assert [(each.place, each.kind) for each in found] == [(1, "table"), (2, "text"), (3, "figure")]
    first, text, figure = found
    assert first.heads == ("asset", "supply cap", "why")
    assert [names(each) for each in first.columns] == [{"made"}, {"level"}, {"made"}]
    assert first.rows[0][0] == "BTC"
    assert names(text.sources) == {"venue"}
    assert figure.numbers[0].origin.expression == "level"
    assert names(figure.sources) == {"made", "level"}


def test_a_title_that_the_figure_makes_rests_on_the_whole_figure():
    (figure,) = exhibits(("cell", 'plots.paths(run.read("made"));', picture("Up by 5 %")))
    (number,) = figure.numbers
    assert number.origin.expression == "plots.paths(run.read('made'))"
    assert names(number.origin.sources) == {"made"}


def test_figures_that_nobody_can_tell_apart_rest_on_the_whole_cell():
    source = 'plots.paths(run.read("made"));\nplots.pegs(level);'
    (figure,) = exhibits(("cell", source, picture("Up by 5 %")))
    assert figure.statement == ""
    assert names(figure.sources) == {"made", "level"}


def test_a_number_without_a_source_stops_the_report():
    typed = whole(("cell", 'size = 12\nrun.say(f"{size} of {level}")', said("12 of 1")))
    with pytest.raises(RunError, match=r"'12' of 12 has no source"):
        typed.check("02_use")
    whole(("cell", 'run.say(f"{level} of 7")', said("1 of 7"))).check("02_use")


@pytest.fixture(scope="module")
def shipped():
    """The trace of the notebooks as they are, not executed."""
    steps = chain.load(NOTEBOOKS / "chain.yaml")
    paths = {name: NOTEBOOKS / f"{name}.ipynb" for name in steps.steps}
    notebooks = {name: nbformat.read(path, as_version=4) for name, path in paths.items()}
    files = {
        name: [each.name for each in parameters.read(path) if "Path" in each.annotation]
        for name, path in paths.items()
    }
    return steps, trace.trace(steps, notebooks, files)


def test_every_notebook_of_the_chain_can_be_followed(shipped):
    steps, made = shipped
    assert {name: flow.problems for name, flow in made.flows.items() if flow.problems} == {}
    for step in steps.steps.values():
        assert set(made.flows[step.name].saved) == set(step.artifacts), step.name


def test_every_part_of_the_report_has_sources_that_lead_to_data(shipped):
    made = shipped[1]
    shown = made.flows["09_calibration_report"].shown
    assert len(shown) > 20

    def origins(text):
        for part in text:
            if not isinstance(part, str):
                yield part.origin
                for inner in (*getattr(part, "options", ()), getattr(part, "item", ())):
                    yield from origins(inner)

    for each in shown:
        assert each.sources, each
        for origin in origins(each.text):
            assert origin.sources, origin
            kinds = {source.kind for source in made.behind(origin.sources)}
            assert kinds & {"file", "parameter", "run"}, origin


def test_what_the_report_reads_is_what_its_heading_says(shipped):
    cells = json.loads((NOTEBOOKS / "09_calibration_report.ipynb").read_text())["cells"]
    (method,) = ("".join(cell["source"]) for cell in cells if cell["id"] == "method")
    shown = shipped[1].flows["09_calibration_report"].shown
    read = {s.name for each in shown for s in each.sources if s.kind == "artifact"}
    assert {name for name in read if f"`{name}`" not in method} <= {
        "account_said",
        "backtest_said",
        "margin_said",
    }
