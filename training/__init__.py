"""The training job: ingest, prepare, fit, export, evaluate, publish."""
