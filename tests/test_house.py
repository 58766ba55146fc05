"""The rules of the house: floors, environment, notebooks, and words that must not be in it."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from rattler import MatchSpec

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xcoll"
CONDA_NAMES = {"arch": "arch-py"}

# A floor may import from itself and from the floors under it; modules right under xcoll/ are
# the ground that every floor stands on.  Liquidation and margin stand side by side.
FLOORS = {
    "market": 1,
    "estimators": 2,
    "collateral": 3,
    "liquidation": 4,
    "margin": 4,
    "systemic": 5,
    "workbook": 6,
}
IMPURE = {
    "papermill",
    "nbclient",
    "nbformat",
    "nbconvert",
    "matplotlib",
    "seaborn",
    "IPython",
    "tqdm",
    "time",
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BENCHMARKS = sorted((ROOT / "notebooks" / "benchmarks").glob("*.ipynb"))  # outside the chain
LOCKED = re.compile(r"^([a-z0-9._-]+)==([^\s;]+)", flags=re.MULTILINE)


def floor(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else "ground"


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_floors_import_downwards_only(path):
    here = floor(path)
    for name in imported(path):
        if not name.startswith("xcoll.") or name.split(".")[1] not in FLOORS:
            continue
        there = name.split(".")[1]
        if here == "ground":
            assert path.name in ("__main__.py", "__init__.py"), f"{path} imports {name}"
        else:
            assert there == here or FLOORS[there] < FLOORS[here], f"{path} imports {name}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_model_code_is_pure(path):
    if floor(path) in ("workbook", "ground"):
        return
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & IMPURE, f"{path} imports {roots & IMPURE}"
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "print"}, f"{path} calls {calls & {'open', 'print'}}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_module_says_what_it_offers(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        getattr(target, "id", "")
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert "__all__" in names or path.name in ("__init__.py", "__main__.py")
    assert ast.get_docstring(tree), f"{path} has no docstring"


def test_environment_yml_says_what_pyproject_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = {}
    for text in wanted:
        requirement = Requirement(text)
        pins[CONDA_NAMES.get(requirement.name, requirement.name)] = str(requirement.specifier)
    pins["python"] = project["requires-python"]
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (by_pip,) = (line["pip"] for line in lines if isinstance(line, dict))
    assert by_pip.pop() == "--editable ."
    specs = [MatchSpec(line) for line in lines if isinstance(line, str)] + [
        MatchSpec(line) for line in by_pip
    ]
    given = {spec.name.normalized: str(spec.version or "") for spec in specs}
    given.pop("pip")
    assert given == pins


def test_the_lock_meets_pyproject_and_names_no_index():
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|index-url", text)
    assert "--hash=sha256:" in text
    locked = dict(LOCKED.findall(text))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(Version(locked[requirement.name])), line


def test_the_lock_of_the_peers_adds_to_the_other_and_changes_nothing_in_it():
    text = (ROOT / "requirements-bench.lock").read_text()
    assert not re.search(r"https?://|index-url", text)
    assert "--hash=sha256:" in text
    added = dict(LOCKED.findall(text))
    others = dict(LOCKED.findall((ROOT / "requirements.lock").read_text()))
    assert added
    assert not added.keys() & others.keys()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["optional-dependencies"]["bench"]:
        requirement = Requirement(line)
        assert any(spec.operator == ">=" for spec in requirement.specifier), line
        assert requirement.specifier.contains(Version((others | added)[requirement.name])), line


def test_nothing_tells_anyone_to_install_the_other_xcoll():
    wrong = re.compile(r"(pip|conda|uv pip|uv)\s+(install|add)\s+(-\S+\s+)*xcoll(?![-\w])")
    files = [
        path
        for pattern in ("*.md", "Makefile", "xcoll/**/*.py", "notebooks/*.ipynb", "data/*")
        for path in ROOT.glob(pattern)
        if path.is_file()
    ]
    assert len(files) > 20
    for path in files:
        assert not wrong.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("path", [*NOTEBOOKS, *BENCHMARKS], ids=lambda path: path.stem)
def test_notebooks_are_story_and_calls(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert notebook["nbformat"] == 4
    assert notebook["nbformat_minor"] == 5
    assert notebook["metadata"]["kernelspec"]["name"] == "xcoll"
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert notebook["metadata"].get("language_info", {"name": "python"}) == {"name": "python"}
    identifiers = [cell["id"] for cell in cells]
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name) for name in identifiers)
    tagged = [
        place
        for place, cell in enumerate(cells)
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    assert len(tagged) == 1
    assert "".join(cells[tagged[0] - 1]["source"]).startswith("## Parameters")
    lines = [line for source in code for line in source.splitlines() if line.strip()]
    assert len(lines) <= 130, f"{len(lines)} code lines"
    for source in code:
        tree = ast.parse(source)
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        defined = [node for node in ast.walk(tree) if isinstance(node, kinds[:3])]
        assert not defined, f"{path.name} defines something"
    for cell in cells:
        assert not cell.get("outputs"), f"{path.name} holds outputs"
        assert cell.get("execution_count") is None
    assert cells[0]["cell_type"] == "markdown"
    assert "".join(cells[0]["source"]).startswith("# ")


def test_every_notebook_of_the_chain_is_there():
    chain = yaml.safe_load((ROOT / "notebooks" / "chain.yaml").read_text())
    assert [path.stem for path in NOTEBOOKS] == ["00_start", *chain]


def test_no_machine_path_is_written_down():
    path_like = re.compile(r"(?<![\w.])/(home|root|work|tmp|Users)/\w")
    suffixes = {".py", ".md", ".ipynb", ".yaml", ".yml", ".toml", ".csv", ".css", ".j2"}
    for folder in ("xcoll", "notebooks", "data", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in suffixes and path != Path(__file__):
                assert not path_like.search(path.read_text(encoding="utf-8")), path
