"""From a trained model to a published one, or a refusal: export, evaluate, gate, report, publish.

Models predict here as in service, through their exported bundles; none is changed. `aisle.registry`
lists the published models and rolls back to them.
"""
