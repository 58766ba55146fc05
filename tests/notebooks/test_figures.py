"""Every figure of every notebook names its axes and says something: drawn here, in one process."""

import json
from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from xcoll.workbook import project

pytestmark = pytest.mark.chain
ROOT = Path(__file__).parents[2]


def draw(name: str, folder: Path, monkeypatch) -> list[Figure]:
    """Run the cells of a notebook with default parameters; its artifacts go to `folder`."""
    here = project.find(ROOT)
    output = folder / name
    output.mkdir()
    step = {
        "notebook": name,
        "root": str(here.root),
        "reports": str(folder),
        "inputs": {other: str(folder / other) for other in here.chain.upstream(name)},
        "output": str(output),
        "facts": {},
    }
    (folder / "step.json").write_text(json.dumps(step))
    monkeypatch.setenv(project.STEP_VARIABLE, str(folder / "step.json"))
    cells = json.loads((here.notebooks / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    scope: dict[str, object] = {"__name__": name}
    plt.close("all")
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{name}:{cell['id']}", "exec"), scope)
    return [plt.figure(number) for number in plt.get_fignums()]


def labels(figure: Figure, axis: str) -> set[str]:
    shared = figure.get_supxlabel() if axis == "x" else figure.get_supylabel()
    if any(text.get_text() == shared and text.get_style() == "italic" for text in figure.texts):
        shared = ""  # a remark under the figure names no axis
    axes = (getattr(ax, f"get_{axis}label")() for ax in figure.axes)
    return {label for label in (shared, *axes) if label.strip()}


def titles(figure: Figure) -> set[str]:
    own = (ax.get_title(loc=place) for ax in figure.axes for place in ("left", "center", "right"))
    return {title for title in (figure.get_suptitle(), *own) if title.strip()}


def faults(figure: Figure) -> list[str]:
    found = [] if titles(figure) else ["no title"]
    found += [f"no label on its {axis} axis" for axis in "xy" if not labels(figure, axis)]
    drawn = [ax for ax in figure.axes if ax.get_visible() and ax.axison]
    return found + ["an empty axis" for ax in drawn if not ax.has_data()]


def test_every_figure_names_its_axes_and_says_something(tmp_path_factory, monkeypatch):
    plt.switch_backend("Agg")
    folder = tmp_path_factory.mktemp("figures")
    found, drawn = [], 0
    for name in project.find(ROOT).chain.steps:
        figures = draw(name, folder, monkeypatch)
        drawn += len(figures)
        found += [
            f"{name}, figure {number} ({' '.join(titles(figure))}): {fault}"
            for number, figure in enumerate(figures, 1)
            for fault in faults(figure)
        ]
        if not figures:
            found.append(f"{name} draws nothing")
        plt.close("all")
    assert not found, "\n".join(found)
    assert drawn > 20
