"""The whole chain on bundled prices: it runs, repeats itself, and bad data cannot hurt it."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tests.notebooks import quick
from xcoll.workbook import artifacts, cli, fingerprint, manifest, project
from xcoll.workbook.review import signoff

pytestmark = pytest.mark.chain
ROOT = Path(__file__).parents[2]


def hashes(folder: Path) -> dict[str, str]:
    """Hash of every file of a report but its manifest, the only one with a clock in it."""
    found = fingerprint.tree(folder)
    found.pop("manifest.json")
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The chain, run from nothing on the bundled prices."""
    reports = tmp_path_factory.mktemp("real") / "reports"
    assert cli.main(["run", "--reports", str(reports), "--jobs", "2", *quick.arguments()]) == 0
    return reports / "default"


def test_every_page_is_there_and_stands_alone(report):
    chain = project.find(ROOT).chain
    assert {path.stem for path in report.glob("*.html")} == {"index", "signoff", *chain.steps}
    for page in report.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", text)
        assert not loaded, page.name
        assert "Traceback" not in text
        assert not re.search(r" at 0x[0-9a-f]{6,}", text), page.name
        if page.stem not in ("index", "signoff"):
            assert "data:image/png;base64," in text, f"{page.name} shows no figure"
            assert "<details" in text
    described = manifest.read(report)
    assert not manifest.damage(report, described)
    assert described["stale"] == []


@pytest.fixture(scope="module")
def soups(report):
    """Every page of the report as a tree."""
    return {
        page.name: BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for page in report.glob("*.html")
    }


def test_every_link_of_every_page_leads_somewhere(report, soups):
    anchors = {name: {tag["id"] for tag in soup.find_all(id=True)} for name, soup in soups.items()}
    checked = 0
    for name, soup in soups.items():
        for link in soup.find_all("a", href=True):
            file, _, anchor = link["href"].partition("#")
            assert (report / (file or name)).is_file(), link
            if anchor:
                assert anchor in anchors[file or name], (name, link["href"])
                checked += 1
    assert checked > 1000


def test_every_figure_and_table_is_numbered_and_says_something(soups):
    code = re.compile(r"[a-z]_[a-z]")
    for name, soup in soups.items():
        for kind, tags in (("Figure", soup.find_all("img")), ("Table", soup.select("table"))):
            numbered = [tag for tag in tags if "parameters" not in tag.get("class", ())]
            for number, tag in enumerate(numbered, 1):
                caption = tag.parent.select_one(".caption")
                assert caption.get_text().startswith(f"{kind} {number}. "), (name, caption)
                assert len(caption.get_text().split()) > 2
                assert not code.search(caption.get_text()), (name, caption)
        heads = [head.get_text() for head in soup.select("thead th")]
        assert not [head for head in heads if code.search(head)], name
        cells = [cell.get_text() for cell in soup.select(".shown td")]
        assert not [cell for cell in cells if code.search(cell) and "." not in cell], name


def test_every_picture_has_its_title_beside_it(report):
    for path in (report / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    assert output["metadata"]["image/png"]["title"], (path.name, cell["id"])


def test_every_number_of_the_report_leads_to_artifacts_and_data(report, capsys):
    record = json.loads((report / "trace.json").read_text(encoding="utf-8"))
    files = manifest.read(report)["files"]
    for name, made in record["artifacts"].items():
        assert files[made["file"]] == made["sha256"], name
    kinds = {"artifacts", "data", "parameters", "run"}
    numbers = [number for shown in record["shown"] for number in shown["numbers"]]
    assert len(numbers) > 60
    for shown in record["shown"]:
        assert set(shown["from"]) <= kinds
        assert shown["from"], shown
        assert all(column["from"] for column in shown.get("columns", ()))
    for number in numbers:
        assert number["expression"], number
        assert number["from"], number
    assert cli.main(["trace", "default", "--reports", str(report.parent)]) == 0
    assert len(capsys.readouterr().out.splitlines()) > len(numbers)


def test_the_page_to_sign_has_all_headings_of_a_review_and_no_typed_result(report, soups):
    page = soups["signoff.html"]
    headings = [heading.get_text() for heading in page.find_all("h2")]
    assert headings == [*signoff.HEADINGS, "Sign-off"]
    assert signoff.signature(manifest.read(report)) in page.get_text()
    assert len(page.select(".shown, .said, .plot")) > 12


def test_no_notebook_warns(report):
    for path in (report / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            warned = [out for out in cell.get("outputs", []) if out.get("name") == "stderr"]
            assert not warned, f"{path.name}, {cell['id']}: {warned[0]['text']}"


def test_every_artifact_has_its_declared_form(report, tmp_path):
    for step in project.find(ROOT).chain.steps.values():
        for name, declared in step.artifacts.items():
            content = artifacts.read(report / "artifacts" / step.name / f"{name}{declared.suffix}")
            copy = artifacts.write(tmp_path, name, declared, content)
            here = fingerprint.file(report / "artifacts" / step.name / f"{name}{declared.suffix}")
            assert fingerprint.file(copy) == here, name


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The same by one job and forked kernels, watched: the report, and a line for each figure."""
    folder = tmp_path_factory.mktemp("one")
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("watch_figures.py"), startup)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(startup.parents[1]))
        patch.setenv("FIGURES_SEEN", str(folder / "seen"))
        options = ["--reports", str(folder), "--jobs", "1", "--fast"]
        assert cli.main(["run", *options, *quick.arguments()]) == 0
    lines = (folder / "seen").read_text(encoding="utf-8").splitlines()
    return folder / "default", [json.loads(line) for line in lines]


def test_one_job_of_forked_kernels_gives_the_same_bytes_as_two_of_the_standard(report, watched):
    assert hashes(watched[0]) == hashes(report)


def test_every_figure_names_its_axes_and_says_something(watched):
    seen = watched[1]
    assert {figure["notebook"] for figure in seen} == {*project.find(ROOT).chain.steps}
    assert len(seen) > 20
    assert not [figure for figure in seen if figure["faults"]]


def test_recommended_parameters_are_consistent(report):
    table = pd.read_parquet(report / "artifacts" / "05_haircuts" / "parameters.parquet")
    assert len(table) > 20
    assert (table["threshold"] * (1 + table["bonus"]) < 1).all()
    assert (table["ltv"] <= table["threshold"]).all()
    assert table["haircut"].between(0, 1).all()
    assert (table["threshold_low"] <= table["threshold"]).all()
    assert (table["threshold"] <= table["threshold_high"]).all()


def test_the_waterfall_sums_to_the_haircut(report):
    waterfall = pd.read_parquet(report / "artifacts" / "05_haircuts" / "waterfall.parquet")
    parameters = pd.read_parquet(report / "artifacts" / "05_haircuts" / "parameters.parquet")
    total = waterfall.groupby(["asset", "horizon"])["share"].sum()
    haircut = parameters.set_index(["asset", "horizon"])["haircut"]
    both = pd.concat([total, haircut], axis=1, join="inner")
    assert len(both) > 10
    pd.testing.assert_series_equal(both["share"], both["haircut"], check_names=False, atol=1e-12)


def artifact(report, name):
    writer, declared = project.find(ROOT).chain.artifact(name)
    return artifacts.read(report / "artifacts" / writer / f"{name}{declared.suffix}")


def test_the_long_run_of_the_last_week_is_the_close_out_loss(report):
    estimates = artifact(report, "estimates")
    last = estimates[estimates["time"] == estimates["time"].max()]
    last = last.set_index(["asset", "horizon"])["long_run"]
    known = artifact(report, "close_out").query("confidence == 0.99 and confidence_used == 0.99")
    known = known[known["method"] == "historical"].set_index(["asset", "horizon"])
    expected = known[["es", "es_trigger"]].max(axis=1)
    assert len(expected) >= 30
    pd.testing.assert_series_equal(
        last[expected.index], expected, check_names=False, rtol=1e-12, atol=0.0
    )


def test_every_weeks_waterfall_sums_to_the_haircut_of_its_path(report):
    path = artifact(report, "haircut_path").query("covering").set_index(["time", "asset"])
    total = artifact(report, "waterfall_path").groupby(["time", "asset"])["share"].sum()
    assert len(path) == len(total) > 1000
    pd.testing.assert_series_equal(
        total.reindex(path.index), path["haircut"], check_names=False, atol=1e-12
    )


def test_nothing_is_recommended_inside_its_interval(report):
    table = artifact(report, "recommendation")
    inside = table["today"].between(table["low"], table["high"])
    assert inside.any()
    assert (table.loc[inside, "change"] <= 0.0).all()  # an LTV may have to follow its threshold
    limits = inside & (table["parameter"] == "threshold")
    assert (table.loc[limits, "change"] == 0.0).all()


FAULTS = {
    "empty": (lambda text: "", "empty"),
    "text": (lambda text: text.replace("7200.17431640625", "much"), "much"),
    "zero": (lambda text: text.replace("7200.17431640625", "0"), "BTC"),
    "negative": (lambda text: text.replace("7200.17431640625", "-1"), "BTC"),
    "infinite": (lambda text: text.replace("7200.17431640625", "inf"), "BTC"),
    "duplicate": (lambda text: text + text.splitlines()[-1] + "\n", "2023-12-31"),
    "unsorted": (
        lambda text: "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])]) + "\n",
        "order",
    ),
    "zones": (
        lambda text: text.replace("2020-01-02;", "2020-01-02T00:00+02:00;").replace(
            "2020-01-03;", "2020-01-03T00:00+00:00;"
        ),
        "zone",
    ),
    "column": (lambda text: text.replace("ETH-USD", "ETHUSD", 1), "ETH"),
    "few": (lambda text: "\n".join(text.splitlines()[:40]) + "\n", "AVAX"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_prices_stop_with_a_word_and_leave_the_report(report, tmp_path, capsys, fault):
    spoil, word = FAULTS[fault]
    path = tmp_path / "spoilt.csv"
    path.write_text(spoil((ROOT / "data" / "crypto_prices.csv").read_text()))
    before = hashes(report)
    reports = report.parent
    assert cli.main(["run", "--reports", str(reports), "-p", f"prices_file={path}"]) == 1
    said = capsys.readouterr().err
    block = said[said.index("xcoll: ") :].strip().splitlines()
    assert len(block) == 6
    assert block[0].startswith("xcoll: 01_market_data failed")
    assert "DataError" in block[1]
    assert "spoilt.csv" in block[1]
    assert word in block[1]
    assert hashes(report) == before


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("confidence=99", "did you mean 0.99"),
        ("confidence=1.0", "in (0, 1)"),
        ("confidnce=0.99", "did you mean 'confidence'"),
        ("seed=one", "must be int"),
        ("prices_file=nowhere.csv", "is not a file"),
    ],
)
def test_bad_parameters_stop_before_anything_runs(report, capsys, setting, words):
    before = hashes(report)
    assert cli.main(["run", "--reports", str(report.parent), "-p", setting]) in (1, 2)
    said = capsys.readouterr().err
    assert words in said
    assert "done" not in said
    assert hashes(report) == before
