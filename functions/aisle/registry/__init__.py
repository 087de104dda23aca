"""What a store's models are and were: bundles, reports, the pointer, the audit, the training job.

Here is what every object under `models/` means, each read and written by one module. How to train,
and what goes over the wire, is not. `audit`, `job` and `pointer` load without numpy.
"""
