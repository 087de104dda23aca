"""Logs, metrics and traces of a Lambda function; only its `handler.py` imports this."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit

Handler = Callable[[Any, Any], Mapping[str, Any]]
"""The function that Lambda calls with an event and a context."""

NAMESPACE = "Aisle"
_PACKAGES = ("aisle", "authorizer", "feedback", "predict", "retrain")


class Observability:
    """Send logs as JSON, metrics in the embedded metric format, and X-Ray traces to CloudWatch.

    Without X-Ray (on a laptop, in a plain container), nothing is traced.
    """

    def __init__(self, service: str) -> None:
        # A distinct name: a logger with a package's name would be that package's logger.
        self.logger = Logger(service=f"aisle-{service}", level="INFO")
        self.metrics = Metrics(namespace=NAMESPACE, service=service)
        # Lambda sets the address. Without it, a tracer would load the whole SDK and do nothing.
        x_ray = "AWS_XRAY_DAEMON_ADDRESS" in os.environ
        self.tracer = Tracer(service=service, auto_patch=False) if x_ray else None
        for name in _PACKAGES:
            logging.getLogger(name)  # the logger must exist before the configuration is copied
        copy_config_to_registered_loggers(self.logger, include={*_PACKAGES})

    def observe(self, handler: Handler) -> Handler:
        """Wrap a function that Lambda calls."""
        observed = self.metrics.log_metrics(handler, capture_cold_start_metric=True)
        if self.tracer is not None:
            observed = self.tracer.capture_lambda_handler(observed, capture_response=False)
        return cast("Handler", self.logger.inject_lambda_context(observed))

    def begin(self, correlation_id: str) -> None:
        """Add the request's id to every log line."""
        self.logger.set_correlation_id(correlation_id)

    def count(self, name: str, *values: float, **facts: str) -> None:
        """Add to a metric of sums; the facts become searchable metadata, not metrics."""
        self._add(name, MetricUnit.Count, values)
        for fact, value in facts.items():
            self.metrics.add_metadata(fact, value)

    def measure(self, name: str, *values: float) -> None:
        """Add to a metric of which the mean and percentiles are shown."""
        self._add(name, MetricUnit.NoUnit, values)

    def _add(self, name: str, unit: MetricUnit, values: tuple[float, ...]) -> None:
        for value in values:
            self.metrics.add_metric(name=name, unit=unit, value=value)
