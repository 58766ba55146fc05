"""Executed notebooks made by hand, a chain of two, and what is known of their values."""

import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from xcoll.workbook import tables
from xcoll.workbook.artifacts import Artifact
from xcoll.workbook.chain import Chain, Step
from xcoll.workbook.review import trace
from xcoll.workbook.review.flow.notebook import follow
from xcoll.workbook.review.flow.values import Source, Value

IMPORTS = """from pathlib import Path

import numpy as np
import pandas as pd

import xcoll
from xcoll.systemic.setting import Ground
from xcoll.workbook import words
from xcoll.workbook.plots import market as plots
from xcoll.workbook.tables import money, percent"""
PARAMETERS = """level: float = 0.99  # level
venue: str = "a"  # venue
prices_file: Path = "data/prices.csv"  # prices"""


def said(text):
    return new_output("display_data", data={"text/markdown": tables.spoken(text)})


def table(frame, caption):
    return new_output("display_data", data={"text/html": tables.to_html(frame, caption)})


def picture(title=""):
    known = {"image/png": {"width": 8, "height": 4, "title": title}}
    return new_output("display_data", data={"image/png": "iVBORw0KGgo="}, metadata=known)


def notebook(*cells, parameters=PARAMETERS):
    """An executed notebook; a cell is (id, source, outputs…), a text one starts with a hash."""
    made = [
        new_code_cell(IMPORTS, id="imports"),
        new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell('run = xcoll.start("02_use")', id="start"),
    ]
    for name, source, *outputs in cells:
        if source.startswith("#"):
            made.append(new_markdown_cell(source, id=name))
        else:
            made.append(new_code_cell(source, id=name, outputs=outputs))
    return new_notebook(cells=made)


def followed(source):
    """The flow of one cell; every artifact that is asked for is there."""
    known = lambda name: Value(frozenset({Source("artifact", name)}))  # noqa: E731
    return follow(notebook(("cell", source)), "02_use", known, ["prices_file"])


def names(sources):
    """Names of sources, without the notebook's own."""
    return {source.name.removeprefix("02_use.") for source in sources}


def last(source):
    """What the last thing shown rests on."""
    made = followed(source)
    assert made.problems == ()
    return names(made.shown[-1].sources)


CHAIN = Chain(
    {
        "01_make": Step("01_make", "What is made?", (), {"made": Artifact("json")}),
        "01_aside": Step("01_aside", "What else?", (), {"aside": Artifact("json")}),
        "02_use": Step("02_use", "What is shown?", ("01_make",), {"end": Artifact("json")}),
    }
)
FILES = {name: ["prices_file"] for name in CHAIN.steps}
MAKE = (
    'frame = pd.read_csv(run.path(prices_file))\nsaid = f"{len(frame)} rows at {level:.0%}"\n'
    'run.save("made", {"said": said, "rows": len(frame)})'
)


def whole(*cells: tuple) -> trace.Trace:
    """The trace of a first notebook that saves a sentence, and of a second one with `cells`."""
    aside = notebook(("aside", 'run.save("aside", {"level": level})'))
    made = {"01_make": notebook(("make", MAKE)), "01_aside": aside, "02_use": notebook(*cells)}
    return trace.trace(CHAIN, made, FILES)


def exhibits(*cells: tuple) -> list[trace.Exhibit]:
    return list(whole(*cells).exhibits["02_use"])


FRAME = pd.DataFrame({"asset": ["BTC", "ETH"], "cap_usd": [1.0, 2.0], "why": ["x", "y"]})
