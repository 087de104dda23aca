"""A plan: steps in their order, each announced before it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a description and the action."""

    description: str
    run: Callable[[], None]


def carry_out(steps: Sequence[Step], *, say: Callable[[str], None], dry_run: bool) -> None:
    """Run the steps in their order; in a dry run, only print their descriptions."""
    for number, step in enumerate(steps, 1):
        say(f"{number}/{len(steps)} {step.description}")
        if not dry_run:
            step.run()
