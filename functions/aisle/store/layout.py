"""The object layout: one function per kind of object key. No other module builds keys.

======================================================  ========================================
``models/current.json``                                 the pointer to the model that serves
``models/<version>/<file>``                             a bundle
``models/<version>/report/<file>``                      the report of the job that made the model
``models/audit/<time>-<version>.json``                  a promotion, refusal or rollback, and why
``models/training.json``                                the status of the latest training job
``models/training.lock``                                the lease of the running training job
``models/processed.json``                               the feedback that the last job has seen
``models/feedback.json``                                the feedback counts and trigger decision
``datasets/base/<snapshot>/<file>``                     a snapshot of a shop's catalogue
``datasets/prepared/<id>/<file>``                       the exact data one model was trained on
``runs/<run>/job.json``                                 a training job's checkpoint
``runs/<build>/<file>``                                 a build: stage results by content hash
``comparisons/<data>/results/<candidate>/<file>``       a candidate's result on one fold
``comparisons/<data>/report/<file>``                    the tables and plots of the results
``feedback/dt=YYYY-MM-DD/<hash>.json``                  one event, named after its content
``reviews/<hash>.json``                                 a person's decision on a held event
``keys/keys.json``                                      the records of the API keys
======================================================  ========================================

A variable part that could lead to another key (a slash, two dots, a capital letter) is refused.
"""

import re
from datetime import UTC, date, datetime
from typing import Final

from aisle.errors import StoreError

_MODELS: Final = "models/"
_POINTER: Final = "current.json"
_REPORT: Final = "report"
_AUDIT: Final = "audit"
_TRAINING: Final = "training.json"
_LOCK: Final = "training.lock"
_PROCESSED: Final = "processed.json"
_STATE: Final = "feedback.json"
# Names beside the bundles: no version may have one, or a file would also have to be a folder.
_BESIDE: Final = frozenset({_POINTER, _AUDIT, _TRAINING, _LOCK, _PROCESSED, _STATE})
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"[0-9a-f]{16,64}")
_BASE_FILES: Final = frozenset(
    {"products.jsonl.gz", "manifest.json", "rejects.jsonl.gz", "feedback.json"}
)
_PREPARED_FILES: Final = frozenset(
    {
        "train.jsonl.gz",
        "validation.jsonl.gz",
        "test.jsonl.gz",
        "heldout.jsonl.gz",
        "manifest.json",
        "taxonomy.json",
    }
)


def current_model() -> str:
    """Return the key of the pointer to the model that serves.

    >>> current_model()
    'models/current.json'
    """
    return _MODELS + _POINTER


def models_prefix() -> str:
    """Return the prefix of the pointer and of every bundle.

    >>> models_prefix()
    'models/'
    """
    return _MODELS


def bundle_prefix(version: str) -> str:
    """Return the prefix of one bundle; its final slash tells `v1` from `v10`.

    >>> bundle_prefix("v1")
    'models/v1/'
    """
    _match("model version", version, pattern=_ID)
    _not_reserved("model version", version, reserved=_BESIDE)
    return f"{_MODELS}{version}/"


def may_be_version(text: str) -> bool:
    """Tell whether a text may be a model version.

    >>> may_be_version("9bd143b57fb9"), may_be_version("audit"), may_be_version("..")
    (True, False, False)
    """
    return bool(_ID.fullmatch(text)) and text not in _BESIDE


def bundle_file(version: str, name: str) -> str:
    """Return the key of one file of a bundle.

    >>> bundle_file("v1", "manifest.json")
    'models/v1/manifest.json'
    """
    _match("bundle file", name, pattern=_FILE)
    _not_reserved("bundle file", name, reserved=frozenset({_REPORT}))
    return bundle_prefix(version) + name


def report_file(version: str, name: str) -> str:
    """Return the key of one report file of the training job that made a bundle.

    >>> report_file("v1", "report.json")
    'models/v1/report/report.json'
    """
    _match("report file", name, pattern=_FILE)
    return f"{bundle_prefix(version)}{_REPORT}/{name}"


def audit_record(at: datetime, version: str) -> str:
    """Return the key of an audit record; keys sort by time.

    >>> audit_record(datetime(2026, 11, 22, 12, tzinfo=UTC), "v1")
    'models/audit/20261122T120000.000000Z-v1.json'
    """
    bundle_prefix(version)
    return f"{audit_prefix()}{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{version}.json"


def audit_prefix() -> str:
    """Return the prefix of every audit record.

    >>> audit_prefix()
    'models/audit/'
    """
    return f"{_MODELS}{_AUDIT}/"


def training_status() -> str:
    """Return the key of the status of the latest training job.

    >>> training_status()
    'models/training.json'
    """
    return _MODELS + _TRAINING


def training_lock() -> str:
    """Return the key of the training lease.

    >>> training_lock()
    'models/training.lock'
    """
    return _MODELS + _LOCK


def processed_feedback() -> str:
    """Return the key of the list of feedback that the last training job has seen.

    >>> processed_feedback()
    'models/processed.json'
    """
    return _MODELS + _PROCESSED


def feedback_state() -> str:
    """Return the key of the feedback counts and the latest trigger decision.

    >>> feedback_state()
    'models/feedback.json'
    """
    return _MODELS + _STATE


def base_snapshot(snapshot: str, name: str) -> str:
    """Return the key of one file of a base snapshot.

    >>> base_snapshot("2026-11-22", "products.jsonl.gz")
    'datasets/base/2026-11-22/products.jsonl.gz'
    """
    _match("base snapshot", snapshot, pattern=_ID)
    _member("base snapshot file", name, allowed=_BASE_FILES)
    return f"datasets/base/{snapshot}/{name}"


def base_snapshots_prefix() -> str:
    """Return the prefix of every base snapshot.

    >>> base_snapshots_prefix()
    'datasets/base/'
    """
    return "datasets/base/"


def prepared(prepared_id: str, name: str) -> str:
    """Return the key of one file of a prepared dataset.

    >>> prepared("3f9c", "train.jsonl.gz")
    'datasets/prepared/3f9c/train.jsonl.gz'
    """
    _match("prepared dataset", prepared_id, pattern=_ID)
    _member("prepared dataset file", name, allowed=_PREPARED_FILES)
    return f"datasets/prepared/{prepared_id}/{name}"


def job_file(run: str, name: str) -> str:
    """Return the key of one file that a training job needs to resume after it was killed.

    >>> job_file("20261122-120000-3f9c1d", "job.json")
    'runs/20261122-120000-3f9c1d/job.json'
    """
    _match("training job", run, pattern=_ID)
    _match("file of a training job", name, pattern=_FILE)
    return f"runs/{run}/{name}"


def build_file(build: str, name: str) -> str:
    """Return the key of one file of a build: the stages' results for some data and parameters.

    Builds share their folder with the jobs because both were once called runs.

    >>> build_file("3f9c", "trained.npz")
    'runs/3f9c/trained.npz'
    """
    _match("build", build, pattern=_ID)
    _match("file of a build", name, pattern=_FILE)
    return f"runs/{build}/{name}"


def comparison_result(data: str, candidate: str, name: str) -> str:
    """Return the key of one result of a candidate in a comparison.

    >>> comparison_result("3f9c", "linear-svm", "100-text-0.npz")
    'comparisons/3f9c/results/linear-svm/100-text-0.npz'
    """
    _match("compared data", data, pattern=_ID)
    _match("candidate", candidate, pattern=_ID)
    _match("result file", name, pattern=_FILE)
    return f"comparisons/{data}/results/{candidate}/{name}"


def comparison_report(data: str, name: str) -> str:
    """Return the key of one file of a comparison's report.

    >>> comparison_report("3f9c", "compare.json")
    'comparisons/3f9c/report/compare.json'
    """
    _match("compared data", data, pattern=_ID)
    _match("report file", name, pattern=_FILE)
    return f"comparisons/{data}/report/{name}"


def feedback_event(day: date, digest: str) -> str:
    """Return the key of a feedback event, from its day and the hash of its content.

    >>> feedback_event(date(2026, 11, 22), "00112233445566778899aabbccddeeff")
    'feedback/dt=2026-11-22/00112233445566778899aabbccddeeff.json'
    """
    _match("feedback digest", digest, pattern=_DIGEST)
    # Not isoformat(): a datetime is also a date, and would include its time.
    return f"feedback/dt={day.year:04}-{day.month:02}-{day.day:02}/{digest}.json"


def feedback_prefix() -> str:
    """Return the prefix of every feedback event.

    >>> feedback_prefix()
    'feedback/'
    """
    return "feedback/"


def review(digest: str) -> str:
    """Return the key of the review decision on the feedback event with this hash.

    >>> review("00112233445566778899aabbccddeeff")
    'reviews/00112233445566778899aabbccddeeff.json'
    """
    _match("feedback digest", digest, pattern=_DIGEST)
    return f"{reviews_prefix()}{digest}.json"


def reviews_prefix() -> str:
    """Return the prefix of every review decision.

    >>> reviews_prefix()
    'reviews/'
    """
    return "reviews/"


def api_keys() -> str:
    """Return the key of the API key records.

    >>> api_keys()
    'keys/keys.json'
    """
    return "keys/keys.json"


def _match(what: str, value: str, *, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(value):
        raise _refusal(what, value, expected=f"a text that matches {pattern.pattern}")


def _member(what: str, value: str, *, allowed: frozenset[str]) -> None:
    if value not in allowed:
        raise _refusal(what, value, expected="one of " + ", ".join(sorted(allowed)))


def _not_reserved(what: str, value: str, *, reserved: frozenset[str]) -> None:
    if value in reserved:
        raise _refusal(what, value, expected=f"anything but {value!r}, which has another use")


def _refusal(what: str, value: str, *, expected: str) -> StoreError:
    return StoreError(
        f"Could not build an object key. The {what} given was {value!r}. "
        f"Expected {expected}. Choose another name."
    )
