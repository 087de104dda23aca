"""Stage 6, the gate: may a challenger replace the champion? Every check is told, passed or not."""

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
    """One thing that was asked of a model; `passed` is None where it could not be asked."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate found. `champion` is the model that the challenger was measured against.

    It holds as long as the pointer has the `etag` that it had then.
    """

    version: str
    champion: str | None
    etag: str | None
    checks: tuple[Check, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """Why it is refused; empty where it passes."""
        return [check.detail for check in self.checks if check.passed is False]

    @property
    def passed(self) -> bool:
        """Whether the challenger may serve."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class GateInput:
    """What the gate goes by, beside the bundle: the frozen test and the new feedback held out.

    `parity` is how far the bundle's probabilities are from the trained model's.
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
    """Judge a bundle by itself and, on the same frozen test, against the one that serves.

    A champion of another catalogue, the packaged one among them, is no measure. `fetch` gives the
    champion by its version.
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
        checks.append(Check("champion", None, "there is no champion measured on the same test"))
    return Judgement(version, champion.version if champion else None, etag, tuple(checks), facts)


def _serving(store: Store) -> tuple[Pointer | None, str | None]:
    """Return the pointer and its ETag; a malformed pointer may be replaced, and that is said."""
    try:
        return read_pointer(store) or (None, None)
    except BundleError as error:
        say(f"There is no champion: {error}")
        return None, store.get(layout.current_model()).etag


def _champion(fetch: Callable[[], Contender]) -> Contender | None:
    """Load the model that serves; one that cannot be read is no measure, and that is said."""
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
            detail="no product is left to test it on (give more products, or a test file with "
            "--test-data)",
        )
    baseline = max(map(mine.true.count, set(mine.true))) / len(mine.true)
    accuracy = float(mine.right.mean())
    if accuracy <= baseline < 1:
        detail = (
            f"its accuracy {accuracy:.4f} on the frozen test is no better than always answering "
            f"the commonest category ({baseline:.4f})"
        )
        return Check(name, passed=False, detail=detail)
    return Check(name, passed=True, detail=f"accuracy {accuracy:.4f}, baseline {baseline:.4f}")


def _itself(
    challenger: Contender, evidence: GateInput, settings: parameters.GateParameters
) -> list[Check]:
    """Check what needs no champion."""
    classifier = challenger.classifier
    checks = [
        Check(
            "equals the trained model",
            evidence.parity <= PARITY_TOLERANCE,
            f"its probabilities differ from the trained model's by up to {evidence.parity:.2g}; "
            f"{PARITY_TOLERANCE:g} is allowed",
        )
    ]
    try:
        count = replay(challenger.bundle, classifier)
        checks.append(
            Check("golden examples", passed=True, detail=f"{count} are decided as before")
        )
    except BundleError as error:
        checks.append(Check("golden examples", passed=False, detail=str(error)))
    found = challenger.answers(evidence.test)
    kept = behaviour.kept_shares(classifier, evidence.test, found, settings.behaviour_products)
    for name, share in kept.items():
        least = settings.typed_share if name in behaviour.TYPED else settings.variant_share
        detail = f"{share:.1%} of products keep their category with other {name}; "
        checks.append(Check(f"other {name}", share >= least, f"{detail}{least:.0%} have to"))
    took = behaviour.milliseconds(classifier, evidence.test)
    size = sum(map(len, challenger.bundle.files.values())) / 1e6
    return [
        *checks,
        Check(
            "time",
            took <= settings.milliseconds,
            f"a product takes {took:.2f} ms; {settings.milliseconds:g} ms are allowed",
        ),
        Check(
            "size",
            size <= settings.megabytes,
            f"the bundle has {size:.1f} MB; {settings.megabytes:g} MB are allowed",
        ),
    ]


def _against(
    mine: Answers, theirs: Answers, champion: str, settings: parameters.GateParameters
) -> tuple[list[Check], dict[str, Any]]:
    """Compare with the champion on the frozen test."""
    found = measure.compare(mine, theirs, resamples=settings.bootstrap)
    checks = []
    for name, one in found.items():
        tolerance: float = getattr(settings, f"{name}_tolerance")
        limit: float = getattr(settings, f"{name}_limit")
        fall = -one.difference - _SAME
        worse = fall > limit or (fall > tolerance and one.high < 0)
        verdict = (
            f"its {name} {one.challenger:.4f} on the frozen test is worse than champion "
            f"{champion}'s {one.champion:.4f} by more than {tolerance:g}"
            if worse
            else f"{name} {one.challenger:.4f}, champion {champion} {one.champion:.4f}"
        )
        interval = f" (difference {one.difference:+.4f}, 95 % [{one.low:+.4f}, {one.high:+.4f}])"
        checks.append(Check(name, not worse, verdict + interval))
    classes = _falls(mine, theirs, settings)
    worst = [one for one in classes if one["fell"]]
    detail = (
        "categories lose too many of their test products: "
        + ", ".join(
            f"{one['id']} ({one['champion']:.0%} to {one['challenger']:.0%} of {one['products']})"
            for one in worst[:5]
        )
        if worst
        else f"no category of {settings.class_products} test products or more falls by more than "
        f"{settings.class_limit:.0%}"
    )
    checks.append(Check("each category", not worst, detail))
    facts = {
        "differences": {name: asdict(one) for name, one in found.items()},
        "classes": [one for one in classes if one["champion"] != one["challenger"]],
    }
    return checks, facts


def _falls(
    mine: Answers, theirs: Answers, settings: parameters.GateParameters
) -> list[dict[str, Any]]:
    ours, before = measure.recalls(mine), measure.recalls(theirs)
    return [
        {
            "id": own,
            "products": count,
            "champion": before[own][1],
            "challenger": share,
            "fell": count >= settings.class_products
            and before[own][1] - share > settings.class_limit + _SAME,
        }
        for own, (count, share) in sorted(ours.items())
    ]


def _better_on_feedback(
    challenger: Contender, champion: Contender, heldout: Sequence[Example]
) -> tuple[Check, dict[str, Any]]:
    """Compare on what people newly said of products that neither learns from."""
    name = "better on new feedback"
    if not heldout:
        return Check(name, None, "no new feedback is on the test's side"), {"products": 0}
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
        f"of {len(heldout)} products of the new feedback that were held out, it has {ours} right "
        f"(log loss {loss:.3f}), the champion {before} ({loss_before:.3f})"
    )
    return Check(name, better, detail), facts
