"""The API over HTTP: routes, their schemas, who may ask, and the page beside it.

A room for each part (`predict`, `feedback`, `learning`), what they share (`http`, `aws`), and all
of it in one process (`whole`, with `site`). Nothing here decides: models answer in `aisle.model`,
events and their count are `aisle.feedback`'s, states of models the registry's. The functions'
handlers are outside the library, in `functions/predict` and its neighbours.
"""
