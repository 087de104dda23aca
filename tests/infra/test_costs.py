"""The costs in the README follow from the prices and the templates."""

import tomllib
from pathlib import Path

from infra import costs

ROOT = Path(__file__).parents[2]
README = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_command_prints():
    """The README has the tables as `python -m infra.costs` prints them."""
    tables = README.partition("<!-- costs: python -m infra.costs -->\n")[2]
    assert tables.partition("\n<!-- /costs -->")[0] == costs.markdown()


def test_every_price_has_a_source_and_is_used():
    """Every price has a source with a date, and every price is used."""
    prices = tomllib.loads(costs.PRICES.read_text(encoding="utf-8"))
    used = {line.price for lines in costs.TABLES.values() for line in lines}
    assert {*prices} == used
    for price in prices.values():
        assert {*price} == {"price", "unit", "source", "of"}


def test_alarms_are_counted(templates):
    """The cost of alarms counts as many metrics as the templates' alarms have."""
    count = 0
    for template in templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                metrics = resource["Properties"].get("Metrics", [{"MetricStat": {}}])
                count += sum("MetricStat" in metric for metric in metrics)
    (alarms,) = [line for line in costs.TABLES["A month without requests"] if line.item == "alarms"]
    assert alarms.amount == count


def test_suppressed_checks_have_reasons():
    """Each check that checkov skips has its reason on the same line."""
    lines = (ROOT / ".checkov.yaml").read_text(encoding="utf-8").partition("skip-check:")[2]
    checks = [line for line in lines.splitlines() if line.strip().startswith("- ")]
    assert checks
    assert [line for line in checks if not line.partition(" # ")[2].strip()] == []
