"""What is done, in its order: steps that say what they do before they do it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does in words, and the doing."""

    says: str
    do: Callable[[], None]


def carry_out(steps: Sequence[Step], *, say: Callable[[str], None], dry_run: bool) -> None:
    """Do one step after another, or only say what each would do."""
    for number, step in enumerate(steps, 1):
        say(f"{number}/{len(steps)} {step.says}")
        if not dry_run:
            step.do()
