"""What the service costs at AWS's prices: `python -m infra.costs` prints it as Markdown.

Left out because each costs under a cent: objects in S3 and requests for them, queue messages,
traffic to the internet (a prediction is 2 kB), log storage, uploads of the page, and the daily
check of the feedback.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRICES: Final = Path(__file__).with_name("prices.toml")
_MILLION: Final = 1_000_000
_HOURS_A_MONTH: Final = 730

# Measured on 2026-11-22, x86_64: `docker save … | gzip | wc -c` of the three images.
_IMAGES_GB: Final = 0.22 + 0.16 + 0.35
# Measured the same day, in a process on recorded events: 916 bytes per warm prediction. 350 for
# Lambda's own lines and 450 for the access log are estimates.
_LOG_BYTES: Final = 916 + 350 + 450
# Assumed: a warm prediction takes under 6 ms in the image, but Lambda at 1 GB has a smaller share
# of a processor.
_MILLISECONDS: Final = 15
# X-Ray's default sampling: one request in twenty. (It adds one per second, negligible here.)
_TRACED: Final = 0.05
# Six alarms on one metric each, and one alarm on the throttles of three functions.
_ALARM_METRICS: Final = 6 + 3
# Custom metrics, cold starts included: eight from predict, four from feedback, three from retrain.
_METRICS: Final = 15
# Assumed: five minutes of training, and ten to start and stop the machine.
_TRAINING_HOURS: Final = 0.25
_DISK_GB: Final = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: an amount of something that has a price."""

    item: str
    amount: float
    price: str


TABLES: Final[Mapping[str, tuple[Line, ...]]] = {
    "A month without requests": (
        Line("alarms", _ALARM_METRICS, "alarm_metric"),
        Line("dashboard", 1, "dashboard"),
        Line("images", _IMAGES_GB, "image_gb"),
    ),
    "A million predictions, one per request": (
        Line("API Gateway", _MILLION, "rest_api_request"),
        Line("Lambda, requests", _MILLION, "lambda_request"),
        Line("Lambda, 1 GB for 15 ms", _MILLION * _MILLISECONDS / 1000, "lambda_gb_second"),
        Line("logs", _MILLION * _LOG_BYTES / 1e9, "log_gb"),
        Line("X-Ray", _MILLION * _TRACED, "trace"),
        Line("metrics, a whole month", _METRICS, "metric"),
        Line("CloudFront, for requests from the page", _MILLION, "cloudfront_request"),
    ),
    "A retraining, a quarter of an hour": (
        Line("machine", _TRAINING_HOURS, "machine_hour"),
        Line("its address", _TRAINING_HOURS, "address_hour"),
        Line("its disk", _DISK_GB * _TRAINING_HOURS / _HOURS_A_MONTH, "disk_gb"),
    ),
}


def markdown() -> str:
    """Return the tables and the source of each price."""
    prices = tomllib.loads(PRICES.read_text(encoding="utf-8"))
    return "\n".join(_lines(prices))


def _lines(prices: Mapping[str, dict[str, str | float]]) -> Iterator[str]:
    footnotes = {name: number for number, name in enumerate(prices, 1)}
    for title, lines in TABLES.items():
        yield f"| {title} | amount | unit price | source | $ |"
        yield "| --- | ---: | --- | ---: | ---: |"
        total = 0.0
        for line in lines:
            price = float(prices[line.price]["price"])
            total += line.amount * price
            unit_price = f"{price:.8f}".rstrip("0").rstrip(".")
            unit = prices[line.price]["unit"]
            yield (
                f"| {line.item} | {line.amount:,.9g} | {unit_price} per {unit} "
                f"| [{footnotes[line.price]}] | {line.amount * price:.4f} |"
            )
        yield f"| **total** | | | | **{total:.2f}** |"
        yield ""
    for name, number in footnotes.items():
        yield f"[{number}] {prices[name]['source']} (price of: {prices[name]['of']})  "


if __name__ == "__main__":
    print(markdown())  # noqa: T201  # the command's output
