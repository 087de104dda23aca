"""The HTTP API: routes, schemas, access control and the demo page.

There is a package for each part (`predict`, `feedback`, `learning`), packages for what they share
(`http`, `aws`), and `whole`, with `site`, serves everything in one process. No decision is made
here: models predict in `aisle.model`, events are counted in `aisle.feedback`, and the registry
derives the states of models. The Lambda handlers are outside the library, in `functions/predict`
and its neighbours.
"""
