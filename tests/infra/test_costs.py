"""What the documents say it costs is what the prices come to."""

import tomllib
from pathlib import Path

from infra import costs

ROOT = Path(__file__).parents[2]
README = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_command_prints():
    """The README has the tables as `python -m infra.costs` prints them."""
    between = README.partition("<!-- costs: python -m infra.costs -->\n")[2]
    assert between.partition("\n<!-- /costs -->")[0] == costs.markdown()


def test_every_price_has_a_source_and_is_used():
    """No price is without a source and its date, and none is there in vain."""
    prices = tomllib.loads(costs.PRICES.read_text(encoding="utf-8"))
    used = {line.price for lines in costs.TABLES.values() for line in lines}
    assert {*prices} == used
    for price in prices.values():
        assert {*price} == {"price", "unit", "source", "of"}


def test_alarms_are_counted(templates):
    """As many metrics are counted as the alarms of the templates have."""
    found = 0
    for template in templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                metrics = resource["Properties"].get("Metrics", [{"MetricStat": {}}])
                found += sum("MetricStat" in each for each in metrics)
    (alarms,) = [
        line for line in costs.TABLES["A month in which nobody asks"] if "alarm" in line.what
    ]
    assert alarms.amount == found


def test_suppressed_checks_have_reasons():
    """Each check that checkov leaves out says why, on its line."""
    lines = (ROOT / ".checkov.yaml").read_text(encoding="utf-8").partition("skip-check:")[2]
    checks = [line for line in lines.splitlines() if line.strip().startswith("- ")]
    assert checks
    assert [line for line in checks if not line.partition(" # ")[2].strip()] == []
