"""What a store's models are and were: bundles, reports, the pointer, the audit, the training job.

Here is what these objects under `models/` mean, each read and written by one module; the count of
feedback and what was processed of it lie there too, and are `aisle.feedback`'s. How to train, and
what goes over the wire, does not belong here. `audit`, `job` and `pointer` load without numpy.
"""
