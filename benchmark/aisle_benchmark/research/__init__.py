"""Research behind the training job's choices: each section answers a question with a table.

The research sections of the report, their shared instrument, and the script that made the packaged
model's word pieces belong here. The compared candidates do not.
"""

from aisle_benchmark.finding import Section
from aisle_benchmark.research import chance, cleaning, fields, folding, leak, learning, noise

SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (
        cleaning.SECTION,
        fields.SECTION,
        *folding.SECTIONS,
        leak.SECTION,
        chance.SECTION,
        learning.SECTION,
        noise.SECTION,
    )
}
