"""Entry point of the retrain function: wiring, and the one place that reads its environment.

It is called with events of new feedback, and by a schedule. Neither says more than that it is time
to look: what is decided depends on the store alone, so that an event that comes twice, late or
never does no harm.
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
    """Keep what was read between calls: an event of feedback never changes."""
    return Counter(open_store(_settings().store, patient=False))


def _retrain(_event: Any, _context: Any) -> Mapping[str, Any]:  # noqa: ANN401  # Lambda's own
    """Submit a training job where it is due; raise where that failed, to be called again."""
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
