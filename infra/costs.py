"""What the service costs, computed of AWS's prices: `python -m infra.costs` prints it as Markdown.

Left out, because it is under a cent each: objects in S3 and requests for them, messages of queues,
what goes out to the internet (a prediction is 2 kB), keeping logs, builds of the page, the daily
look at the feedback.
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
# Measured the same day, in a process on recorded events: 916 bytes a warm prediction. Lambda's own
# lines and the access log are added as estimates, 350 and 450.
_LOG_BYTES: Final = 916 + 350 + 450
# Assumed: a warm prediction takes under 6 ms in the image; Lambda has less of a processor at 1 GB.
_MILLISECONDS: Final = 15
# X-Ray's usual sampling: one in twenty (and one a second, which many requests drown).
_TRACED: Final = 0.05
# Metrics of alarms: six alarms on one, and that of three functions' throttles.
_ALARM_METRICS: Final = 6 + 3
# Of the functions: eight of predict, four of feedback, three of retrain, cold starts among them.
_METRICS: Final = 15
# Assumed: five minutes of training, and ten in which the machine comes and goes.
_TRAINING_HOURS: Final = 0.25
_DISK_GB: Final = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One position: so much of something with a price."""

    what: str
    amount: float
    price: str


TABLES: Final[Mapping[str, tuple[Line, ...]]] = {
    "A month in which nobody asks": (
        Line("alarms", _ALARM_METRICS, "alarm_metric"),
        Line("dashboard", 1, "dashboard"),
        Line("images", _IMAGES_GB, "image_gb"),
    ),
    "A million predictions, one a request": (
        Line("API Gateway", _MILLION, "rest_api_request"),
        Line("Lambda, requests", _MILLION, "lambda_request"),
        Line("Lambda, 1 GB for 15 ms", _MILLION * _MILLISECONDS / 1000, "lambda_gb_second"),
        Line("logs", _MILLION * _LOG_BYTES / 1e9, "log_gb"),
        Line("X-Ray", _MILLION * _TRACED, "trace"),
        Line("metrics, a whole month", _METRICS, "metric"),
        Line("CloudFront, if asked by the page", _MILLION, "cloudfront_request"),
    ),
    "A retraining, a quarter of an hour": (
        Line("machine", _TRAINING_HOURS, "machine_hour"),
        Line("its address", _TRAINING_HOURS, "address_hour"),
        Line("its disk", _DISK_GB * _TRAINING_HOURS / _HOURS_A_MONTH, "disk_gb"),
    ),
}


def markdown() -> str:
    """Return the tables, and where each price was read."""
    prices = tomllib.loads(PRICES.read_text(encoding="utf-8"))
    return "\n".join(_lines(prices))


def _lines(prices: Mapping[str, dict[str, str | float]]) -> Iterator[str]:
    numbers = {name: at for at, name in enumerate(prices, 1)}
    for title, lines in TABLES.items():
        yield f"| {title} | so much | at | source | $ |"
        yield "| --- | ---: | --- | ---: | ---: |"
        total = 0.0
        for line in lines:
            price = float(prices[line.price]["price"])
            total += line.amount * price
            at = f"{price:.8f}".rstrip("0").rstrip(".")
            yield (
                f"| {line.what} | {line.amount:,.9g} | {at} a {prices[line.price]['unit']} "
                f"| [{numbers[line.price]}] | {line.amount * price:.4f} |"
            )
        yield f"| **together** | | | | **{total:.2f}** |"
        yield ""
    for name, number in numbers.items():
        yield f"[{number}] {prices[name]['source']} (of: {prices[name]['of']})  "


if __name__ == "__main__":
    print(markdown())  # noqa: T201  # that is what it is for
