"""What a run leaves for the monitor, made by hand in the forms that the real chain declares."""

import base64
import io
import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pandas as pd
import yaml

from tests.workbook.conftest import notebook
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.haircuts.market import Tail
from xcoll.workbook import artifacts, files, fingerprint, project
from xcoll.workbook.monitor.targets import ARTIFACTS

ROOT = Path(__file__).parents[3]
CHAIN = project.find(ROOT).chain
BLANK = {"flag": False, "number": float("nan"), "text": "", "time": pd.NaT, "whole": 0}
KINDS = {"flag": bool, "number": float, "text": "str", "time": "datetime64[us]", "whole": "int64"}
VENUE = "aave-v3-ethereum"
UNIVERSE = files.read_universe(ROOT / "data" / "universe.yaml").model_dump(mode="json")
POLICY = asdict(Policy(Tail(0.99), "fhs", "400D"))
DAYS = ("2023-06-02", "2023-06-09", "2023-06-16")
CASE = {"loss": "close_out", "confidence": 0.99, "bars": 1, "method": "fhs"}
# threshold, LTV, bonus and cap; a threshold and an LTV have an interval of ±2 points.
TARGETS = {
    "BTC": (0.795, 0.64, 0.02, 5_848_278.0),
    "ETH": (0.745, 0.56, 0.02, 7_106_000.0),
    "LINK": (0.70, 0.655, 0.07, 2_753_389.0),
}


def frame(name, *rows):
    """Rows of the artifact `name`: its declared columns, blank where they are not given."""
    columns = CHAIN.artifact(name)[1].columns
    full = [{key: row.get(key, BLANK[kind]) for key, kind in columns.items()} for row in rows]
    made = pd.DataFrame(full, columns=[*columns])
    return made.astype({key: KINDS[kind] for key, kind in columns.items()})


def state(day=DAYS[0], targets=None, market=0.10, **changes):
    """All artifacts of a quiet run as of `day`, some of them exchanged."""
    parameters, waterfall, caps = [], [], []
    for asset, (threshold, ltv, bonus, cap) in (TARGETS if targets is None else targets).items():
        row = {"asset": asset, "horizon": "4h", "bonus": bonus, "covering": True}
        for key, value in (("threshold", threshold), ("ltv", ltv)):
            row |= {key: value, f"{key}_low": value - 0.02, f"{key}_high": value + 0.02}
        parameters += [row, {**row, "horizon": "24h", "covering": False}]
        for part, share in (("market", market), ("liquidity", 0.004), ("rounding", 0.001)):
            waterfall.append({"asset": asset, "horizon": "4h", "part": part, "share": share})
        caps.append({"asset": asset, "cap_usd": cap, "binding": "keeper's profit"})
    quiet = {
        "data_card": {"prices": {"end": f"{day}T00:00:00", "bar_hours": 24.0}},
        "quality": frame("quality"),
        "universe": UNIVERSE,
        "correlation_alerts": frame("correlation_alerts"),
        "coverage": frame(
            "coverage", {"sample": "all bars", "asset": "ETH", "traffic_light": "green", **CASE}
        ),
        "coverage_rates": frame("coverage_rates"),
        "tail_ranking": frame("tail_ranking", {"assets": 3, "allowed": 1, **CASE}),
        "policy": POLICY,
        "parameters": frame("parameters", *parameters),
        "waterfall": frame("waterfall", *waterfall),
        "caps": frame("caps", *caps),
        "toxic_pairs": frame("toxic_pairs"),
        "summary": {"venue": VENUE, "published": "2025-03-31"},
    }
    return {**quiet, **changes}


def _forms():
    """The chain of one notebook that declares its artifacts as the real notebooks do."""
    real = yaml.safe_load((ROOT / "notebooks" / "chain.yaml").read_text(encoding="utf-8"))
    forms = {name: real[CHAIN.artifact(name)[0]]["artifacts"][name] for name in ARTIFACTS}
    chain = {"01_all": {"question": "What does a date leave?", "artifacts": forms}}
    return yaml.safe_dump(chain, sort_keys=False)


def _venues():
    """The published parameters of two venues: all of them take long to read."""
    real = files.read_yaml(ROOT / "data" / "venues.yaml")
    kept = {key: real["venues"][key] for key in (VENUE, "compound-v3-usdc")}
    return yaml.safe_dump({"date": real["date"], "tokens": real["tokens"], "venues": kept})


FORMS, VENUES = _forms(), _venues()


def _cell():
    """The cell that saves the state of a day, each artifact by its name as a trace wants it."""
    lines = [
        'states = json.loads(run.path(states_file).read_text(encoding="utf-8"))',
        "day = max(day for day in states if as_of is None or day <= as_of)",
    ]
    for name, content in state().items():
        made = f'states[day]["{name}"]'
        if isinstance(content, pd.DataFrame):
            made = f"pd.read_parquet(io.BytesIO(base64.b64decode({made})))"
        lines.append(f'run.save("{name}", {made})')
    return "\n".join([*lines, 'run.say(f"The state of {day}.")'])


PARAMETERS = """\
states_file: Path = "data/states.json"  # what each date leaves
venues_file: Path = "data/venues.yaml"  # published parameters
as_of: str | None = None  # last date that is used, a date; none for all"""


def build(root, states):
    """A project whose one notebook leaves the state of the last day up to its date."""
    (root / "notebooks").mkdir(parents=True)
    (root / "data").mkdir()
    shutil.copy(ROOT / "data" / "monitor.yaml", root / "data")
    (root / "data" / "venues.yaml").write_text(VENUES, encoding="utf-8")
    (root / "notebooks" / "chain.yaml").write_text(FORMS, encoding="utf-8")
    made = notebook("01_all", PARAMETERS, _cell())
    made.cells[1].source = f"import base64\nimport io\nimport json\n{made.cells[1].source}"
    nbformat.write(made, root / "notebooks" / "01_all.ipynb")
    give(root, states)
    return project.find(root)


def give(root, states):
    """Write the states of all days into the project's data."""
    packed = {
        day: {
            name: base64.b64encode(content.to_parquet()).decode()
            if isinstance(content, pd.DataFrame)
            else content
            for name, content in one.items()
        }
        for day, one in states.items()
    }
    (root / "data" / "states.json").write_text(json.dumps(packed), encoding="utf-8")


def update(plan, name, progress, *, jobs, timeout, fast):
    """The report that `workbook.update.update` would make, without a kernel and without pages."""
    values = plan.values("01_all")
    packed = json.loads(plan.project.path(values["states_file"]).read_text(encoding="utf-8"))
    day = max(day for day in packed if day <= values["as_of"])
    folder = plan.project.reports / name
    shutil.rmtree(folder, ignore_errors=True)
    inner = folder / "artifacts" / "01_all"
    inner.mkdir(parents=True)
    for artifact, content in packed[day].items():
        if isinstance(content, str):
            content = pd.read_parquet(io.BytesIO(base64.b64decode(content)))
        artifacts.write(inner, artifact, plan.project.chain.artifact(artifact)[1], content)
    (folder / "index.html").write_text("a report", encoding="utf-8")
    step = {"key": plan.key("01_all", {}), "changed": dict(plan.changed["01_all"])}
    now = datetime.now(UTC).isoformat()
    described = {
        "schema": 1,
        "run": name,
        "commit": "none",
        "facts": plan.facts("01_all"),
        "stale": [],
        "steps": {"01_all": {**step, "artifacts": fingerprint.tree(inner), "seconds": 1.0}},
        "began": now,
        "finished": now,
        "files": fingerprint.tree(folder),
    }
    artifacts.write_json(folder / "manifest.json", described)
    return folder / "index.html"


def pair_row(venue, collateral):
    """A pair of 07 with an alarm."""
    numbers = {"distance": 0.3, "tipping": 0.05, "gain": 0.0, "shortfall": 0.1}
    return {"venue": venue, "collateral": collateral, "alarm": "sales bring in as many", **numbers}
