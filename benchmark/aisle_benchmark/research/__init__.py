"""Research that decides: a question each, a table and a sentence for an answer.

Sections of the report, the instrument that they share, and how the word pieces of the packaged
model were made belong here. The candidates that are compared do not.
"""

from aisle_benchmark.finding import Section
from aisle_benchmark.research import chance, cleaning, fields, folding, leak, learning, noise

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
