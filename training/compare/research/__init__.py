"""Research that decides: a question each, a table and a sentence for an answer."""

from training.compare.research import chance, cleaning, fields, folding, leak, learning, noise
from training.compare.research.finding import Section

SECTIONS: dict[str, Section] = {
    one.name: one
    for one in (
        cleaning.SECTION,
        fields.SECTION,
        *folding.SECTIONS,
        leak.SECTION,
        chance.SECTION,
        learning.SECTION,
        noise.SECTION,
    )
}
