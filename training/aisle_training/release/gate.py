"""Stage 6, the gate: decide whether a challenger may replace the champion, check by check."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aisle.errors import BundleError
from aisle.model.golden import replay
from aisle.progress import say
from aisle.registry.pointer import Pointer, read_pointer
from aisle.store import Store, layout
from aisle_training import parameters
from aisle_training.data.prepare import Example
from aisle_training.release import behaviour, measure
from aisle_training.release.contender import Contender, fetch_contender
from aisle_training.release.export import PARITY_TOLERANCE
from aisle_training.release.measure import Answers

_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check; `passed` is None where the check was skipped."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The gate's result; `champion` is the model that the challenger was compared with, if any.

    It is valid as long as the pointer has this `etag`.
    """

    version: str
    champion: str | None
    etag: str | None
    checks: tuple[Check, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """The reasons for a refusal; empty where the challenger passes."""
        return [check.detail for check in self.checks if check.passed is False]

    @property
    def passed(self) -> bool:
        """Whether the challenger may serve."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class GateInput:
    """The gate's input besides the bundle: the frozen test and held-out new feedback.

    `parity` is the largest difference of the bundle's probabilities from the trained model's.
    """

    test: Sequence[Example]
    heldout: Sequence[Example] = ()
    parity: float = 0.0


def judge(
    store: Store,
    challenger: Contender,
    evidence: GateInput,
    settings: parameters.GateParameters,
    fetch: Callable[[Store, str], Contender] = fetch_contender,
) -> Judgement:
    """Judge a challenger by itself and, on the same frozen test, against the champion.

    A model with another frozen test, such as the packaged one, is no champion here. `fetch` returns
    a published model by its version.
    """
    pointer, etag = _serving(store)
    version = challenger.version
    mine = challenger.answers(evidence.test)
    champion = None
    if (
        pointer is not None
        and pointer.version != version
        and pointer.test_sha256 == challenger.bundle.manifest.dataset["test_sha256"]
    ):
        champion = _champion(lambda: fetch(store, pointer.version))
    checks = [
        _something_learnt(mine),
        *_itself(challenger, evidence, settings),
    ]
    facts: dict[str, Any] = {}
    if champion is not None and evidence.test:
        theirs = champion.answers(evidence.test)
        against, facts = _against(mine, theirs, champion.version, settings)
        checks += against
        better, facts["heldout"] = _better_on_feedback(challenger, champion, evidence.heldout)
        checks.append(better)
    else:
        checks.append(Check("champion", None, "no champion has the same frozen test"))
    return Judgement(version, champion.version if champion else None, etag, tuple(checks), facts)


def _serving(store: Store) -> tuple[Pointer | None, str | None]:
    """Return the pointer and its ETag; log a malformed pointer, which may be replaced."""
    try:
        return read_pointer(store) or (None, None)
    except BundleError as error:
        say(f"There is no champion: {error}")
        return None, store.get(layout.current_model()).etag


def _champion(fetch: Callable[[], Contender]) -> Contender | None:
    """Load the model that serves; log one that cannot be read, and return None."""
    try:
        return fetch()
    except BundleError as error:
        say(f"There is no champion: {error}")
        return None


def _something_learnt(mine: Answers) -> Check:
    name = "better than always the commonest category"
    if not mine.true:
        return Check(
            name,
            passed=False,
            detail="the frozen test has no products (give more products, or a test file with "
            "--test-data)",
        )
    baseline = max(map(mine.true.count, set(mine.true))) / len(mine.true)
    accuracy = float(mine.right.mean())
    if accuracy <= baseline < 1:
        detail = (
            f"its accuracy {accuracy:.4f} on the frozen test is no better than the majority-class "
            f"baseline's {baseline:.4f}"
        )
        return Check(name, passed=False, detail=detail)
    return Check(
        name, passed=True, detail=f"accuracy {accuracy:.4f}, majority-class baseline {baseline:.4f}"
    )


def _itself(
    challenger: Contender, evidence: GateInput, settings: parameters.GateParameters
) -> list[Check]:
    """Run the checks that need no champion."""
    classifier = challenger.classifier
    checks = [
        Check(
            "equals the trained model",
            evidence.parity <= PARITY_TOLERANCE,
            f"its probabilities differ from the trained model's by up to {evidence.parity:.2g} "
            f"(limit {PARITY_TOLERANCE:g})",
        )
    ]
    try:
        count = replay(challenger.bundle, classifier)
        checks.append(
            Check("golden examples", passed=True, detail=f"all {count} give the stored answer")
        )
    except BundleError as error:
        checks.append(Check("golden examples", passed=False, detail=str(error)))
    answers = challenger.answers(evidence.test)
    kept = behaviour.kept_shares(classifier, evidence.test, answers, settings.behaviour_products)
    for name, share in kept.items():
        least = settings.typed_share if name in behaviour.TYPED else settings.variant_share
        detail = f"{share:.1%} of products keep their category with other {name} (at least "
        checks.append(Check(f"other {name}", share >= least, f"{detail}{least:.0%} required)"))
    took = behaviour.milliseconds(classifier, evidence.test)
    size = sum(map(len, challenger.bundle.files.values())) / 1e6
    return [
        *checks,
        Check(
            "time",
            took <= settings.milliseconds,
            f"the median prediction takes {took:.2f} ms (limit {settings.milliseconds:g} ms)",
        ),
        Check(
            "size",
            size <= settings.megabytes,
            f"the bundle has {size:.1f} MB (limit {settings.megabytes:g} MB)",
        ),
    ]


def _against(
    mine: Answers, theirs: Answers, champion: str, settings: parameters.GateParameters
) -> tuple[list[Check], dict[str, Any]]:
    """Compare with the champion on the frozen test."""
    comparison = measure.compare(mine, theirs, resamples=settings.bootstrap)
    checks = []
    for name, metric in comparison.items():
        tolerance: float = getattr(settings, f"{name}_tolerance")
        limit: float = getattr(settings, f"{name}_limit")
        drop = -metric.difference - _SAME
        worse = drop > limit or (drop > tolerance and metric.high < 0)
        verdict = (
            f"its {name} {metric.challenger:.4f} on the frozen test is worse than champion "
            f"{champion}'s {metric.champion:.4f} by more than {tolerance:g}"
            if worse
            else f"{name} {metric.challenger:.4f}, champion {champion} {metric.champion:.4f}"
        )
        interval = (
            f" (improvement {metric.difference:+.4f}, 95 % interval [{metric.low:+.4f}, "
            f"{metric.high:+.4f}])"
        )
        checks.append(Check(name, not worse, verdict + interval))
    classes = _falls(mine, theirs, settings)
    worst = [row for row in classes if row["fell"]]
    points = f"{100 * settings.class_limit:g} percentage points"
    detail = (
        f"recall falls by more than {points} in: "
        + ", ".join(
            f"{row['id']} ({row['champion']:.0%} to {row['challenger']:.0%} of {row['products']} "
            "products)"
            for row in worst[:5]
        )
        if worst
        else f"recall falls by more than {points} in no category with at least "
        f"{settings.class_products} test products"
    )
    checks.append(Check("each category", not worst, detail))
    facts = {
        "differences": {name: asdict(metric) for name, metric in comparison.items()},
        "classes": [row for row in classes if row["champion"] != row["challenger"]],
    }
    return checks, facts


def _falls(
    mine: Answers, theirs: Answers, settings: parameters.GateParameters
) -> list[dict[str, Any]]:
    ours, before = measure.recalls(mine), measure.recalls(theirs)
    return [
        {
            "id": category_id,
            "products": count,
            "champion": before[category_id][1],
            "challenger": share,
            "fell": count >= settings.class_products
            and before[category_id][1] - share > settings.class_limit + _SAME,
        }
        for category_id, (count, share) in sorted(ours.items())
    ]


def _better_on_feedback(
    challenger: Contender, champion: Contender, heldout: Sequence[Example]
) -> tuple[Check, dict[str, Any]]:
    """Compare on new feedback that neither model learnt from."""
    name = "better on new feedback"
    if not heldout:
        return Check(name, None, "there is no held-out new feedback"), {"products": 0}
    mine, theirs = challenger.answers(heldout), champion.answers(heldout)
    ours, before = int(mine.right.sum()), int(theirs.right.sum())
    loss, loss_before = float(mine.losses.mean()), float(theirs.losses.mean())
    perfect = ours == before == len(heldout)
    better = ours > before or (ours == before and loss < loss_before) or perfect
    facts = {
        "products": len(heldout),
        "challenger": {"right": ours, "log_loss": loss},
        "champion": {"right": before, "log_loss": loss_before},
    }
    detail = (
        f"on {len(heldout)} products of held-out new feedback, it gets {ours} right (log loss "
        f"{loss:.3f}), the champion {before} (log loss {loss_before:.3f})"
    )
    return Check(name, better, detail), facts
