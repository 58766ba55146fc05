"""Each case still does what its peers do, on tiny sizes and without a clock."""

import pandas as pd
import pytest

from tests.benchmarks import data, liquidation, machine
from tests.benchmarks.__main__ import main, text
from tests.benchmarks.cases import CASES
from tests.benchmarks.measure import RUNS, Case, Peer, measure
from xcoll.errors import ArtifactError
from xcoll.workbook import benchmarks, project

ALL = [make for makes in CASES.values() for make in makes]


@pytest.mark.parametrize("make", ALL, ids=lambda make: f"{make.__module__}.{make.__name__}")
def test_case_and_installed_peers_agree(make):
    case = make(tiny=True)
    case.check()
    if not any(peer.version for peer in case.peers):
        pytest.skip("every peer of this case comes with make peers")


def constant(value, calls):
    def call():
        calls.append(value)
        return value

    return call


def same(first, second):
    assert first == second


def row_of(peer, calls):
    case = Case("sum", "1 + 1", constant(2, calls), (peer,))
    return next(measure(case))


def test_a_row_has_the_declared_columns_and_a_ratio():
    calls = []
    row = row_of(Peer("numpy", "numpy", constant(2, calls), same, share=0.5, runs=2), calls)
    assert {"subject", *row} == set(benchmarks.TIMINGS.columns)
    assert row["runs"] == RUNS
    assert row["peer_runs"] == 2
    assert row["faster"] > 0.0


def test_what_is_not_installed_is_a_row_without_a_time_and_is_never_called():
    calls = []
    row = row_of(Peer("nobody", "no-such-package", constant(3, calls), same), calls)
    assert row["version"] == ""
    assert pd.isna(row["peer"])
    assert pd.isna(row["faster"])
    assert 3 not in calls


def test_a_peer_that_disagrees_stops_the_benchmark():
    with pytest.raises(AssertionError):
        row_of(Peer("numpy", "numpy", lambda: 3, same), [])


def table():
    """A case a subject; one peer is not installed, one is faster."""
    found = {"correlation": ("", float("nan")), "tail": ("8.0", 1.0)}
    rows = []
    for subject in CASES:
        version, peer = found.get(subject, ("8.0", 42.0))
        rows.append(
            {
                "subject": subject,
                "case": f"case of {subject}",
                "size": "10 bars",
                "unit": "ms",
                "ours": 2.0,
                "runs": 5,
                "against": "arch, cold",
                "package": "arch",
                "version": version,
                "peer": peer,
                "peer_runs": 3,
                "share": 1.0,
                "faster": peer / 2.0,
                "remark": "",
            }
        )
    return pd.DataFrame(rows)


def test_artifact_is_read_back_and_a_missing_one_names_the_command(tmp_path):
    found = machine.described(data.ROOT)
    with pytest.raises(ArtifactError, match="make bench"):
        benchmarks.read(tmp_path)
    grown = liquidation.growth(tiny=True)
    benchmarks.write(tmp_path, table(), grown, found)
    timings, growth, where = benchmarks.read(tmp_path)
    pd.testing.assert_frame_equal(timings, table(), check_dtype=False)
    pd.testing.assert_frame_equal(growth, grown, check_dtype=False)
    assert where == found
    assert found["processor"] in benchmarks.sentence(where)


def test_terminal_table_names_what_is_missing():
    lines = text(table()).splitlines()
    (absent,) = (line for line in lines if "case of correlation" in line)
    (slower,) = (line for line in lines if "case of tail" in line)
    assert "not installed" in absent
    assert "0.5×" in slower
    assert sum("21.0×" in line for line in lines) == len(CASES) - 2


def test_an_unknown_subject_is_refused(capsys):
    assert main(["speed"]) == 2
    assert "volatility" in capsys.readouterr().err


@pytest.mark.chain
def test_page_draws_what_was_saved(tmp_path):
    benchmarks.write(tmp_path, table(), liquidation.growth(tiny=True), machine.described(data.ROOT))
    page = benchmarks.publish(project.find(data.ROOT), tmp_path)
    found = page.read_text(encoding="utf-8")
    assert "data:image/png;base64," in found
    assert machine.processor() in found
    assert "case of tail" in found
