"""The model registry: bundles, reports, the pointer, the audit records and the training job.

Each kind of object under `models/` is read and written by one module here, except the feedback
counts and the list of processed feedback, which belong to `aisle.feedback`. Training and the HTTP
schemas do not belong here. `audit`, `job` and `pointer` load without numpy.
"""
