"""Entry point of the retrain function: wiring, and the only code that reads its environment.

Events of new feedback and a schedule call it. They only prompt a check: the decision depends on the
store alone, so events that arrive twice, late or never do no harm.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aisle.feedback.count import Counter
from aisle.feedback.due import start_if_due
from aisle.serving.aws.observability import Observability
from aisle.store import open_store
from retrain.batch import job_on_batch
from retrain.settings import RetrainFunctionSettings

_observability = Observability("retrain")


@cache
def _settings() -> RetrainFunctionSettings:
    return RetrainFunctionSettings.read(os.environ)


@cache
def _counter() -> Counter:
    """Keep the counter between calls: feedback events never change, so each is read once."""
    return Counter(open_store(_settings().store, patient=False))


def _retrain(_event: Any, _context: Any) -> Mapping[str, Any]:  # noqa: ANN401  # Lambda's own
    """Submit a training job if one is due; raise if that fails, so that Lambda retries."""
    started = 0.0
    try:
        settings = _settings()
        outcome = start_if_due(
            _counter(),
            settings.policy(),
            job_on_batch(settings.job_queue, settings.job_definition),
            holder=f"AWS Batch, {settings.job_queue}",
        )
        started = float(outcome.started)
        _observability.measure("NewlyCorrected", float(outcome.decision.count.new))
    finally:
        _observability.count("RetrainingStarted", started)
    return {"started": outcome.started, "run": outcome.run, "why": outcome.why}


handler = _observability.observe(_retrain)
