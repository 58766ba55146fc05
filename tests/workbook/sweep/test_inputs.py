"""Inputs of a sweep: artifacts of a finished run, each as the run wrote it."""

import pickle

import pandas as pd
import pytest

from tests.workbook.conftest import seal
from xcoll.errors import ArtifactError
from xcoll.workbook import artifacts, fingerprint
from xcoll.workbook.sweep.inputs import KEPT, Inputs, Read, collect, parse


@pytest.fixture
def finished(tiny):
    """A run of the tiny project that stopped after 02."""
    folder = tiny.reports / "base"
    for name, content in (("numbers", {"value": [1.0]}), ("scaled", {"value": [2.0]})):
        writer, declared = tiny.chain.artifact(name)
        (folder / "artifacts" / writer).mkdir(parents=True)
        artifacts.write(folder / "artifacts" / writer, name, declared, pd.DataFrame(content))
    seal(folder)
    return tiny


def test_artifacts_come_with_the_hashes_of_the_run(finished):
    inputs = collect(finished, "base", ["scaled"])
    path = finished.reports / "base/artifacts/02_scale/scaled.parquet"
    assert inputs.hashes == {"02_scale/scaled.parquet": fingerprint.file(path)}
    read = parse(inputs.contents)
    pd.testing.assert_frame_equal(read["scaled"], pd.DataFrame({"value": [2.0]}))
    assert parse({"total.json": b'{"total": 1}'}) == {"total": {"total": 1}}


def test_a_work_that_reads_nothing_needs_no_run(tiny):
    assert collect(tiny, "none", []) == Inputs()


@pytest.mark.parametrize(
    ("run", "again"), [("default", "with: xcoll run$"), ("x", "with: xcoll run --name x$")]
)
def test_a_missing_run(finished, run, again):
    with pytest.raises(ArtifactError, match=again):
        collect(finished, run, ["scaled"])


def test_an_artifact_that_the_run_did_not_come_to(finished):
    with pytest.raises(ArtifactError, match="xcoll run --name base --until 03_square"):
        collect(finished, "base", ["scaled", "squared"])


def test_an_artifact_that_nobody_writes(finished):
    with pytest.raises(ArtifactError, match="did you mean 'scaled'"):
        collect(finished, "base", ["scald"])


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_an_artifact_that_is_not_what_the_run_wrote(finished, damage):
    path = finished.reports / "base/artifacts/01_load/numbers.parquet"
    path.write_bytes(b"other") if damage == "changed" else path.unlink()
    with pytest.raises(ArtifactError, match="is not what the run wrote"):
        collect(finished, "base", ["numbers"])


def load(path, read):
    """A table of the user's file and of an artifact."""
    return pd.DataFrame({"value": [float(path.read_text()) * read["scaled"]["value"].iloc[0]]})


def test_files_of_the_user_travel_as_tables_with_their_hashes(finished):
    (finished.root / "mine.csv").write_text("3")
    inputs = collect(finished, "base", ["scaled"], {"mine.csv": load})
    read = parse(inputs.contents)
    assert set(read) == {"scaled", "mine.csv"}
    assert read["mine.csv"]["value"].tolist() == [6.0]
    assert set(inputs.files) == {"mine.csv"}
    assert "mine.csv" not in inputs.hashes
    (finished.root / "mine.csv").write_text("3.0")
    assert collect(finished, "base", ["scaled"], {"mine.csv": load}).files == inputs.files
    (finished.root / "mine.csv").write_text("4")
    assert collect(finished, "base", ["scaled"], {"mine.csv": load}).files != inputs.files


def test_what_is_made_once_is_kept_as_long_as_it_is_used():
    read, made = Read({"a": 1}), []

    def make(name):
        return read.once(name, lambda: made.append(name) or f"{name} made")

    for n in range(2 * KEPT):
        assert make("used") == "used made"
        assert make(str(n)) == f"{n} made"
    assert made.count("used") == 1
    make("0")
    assert made.count("0") == 2
    assert read == {"a": 1}


def test_what_was_made_once_travels_along():
    read = Read({"a": 1})
    read.once("b", lambda: 2)
    other = pickle.loads(pickle.dumps(read))
    assert other == read
    assert other.once("b", lambda: 3) == 2
