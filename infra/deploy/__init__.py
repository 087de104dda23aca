"""From a bare AWS account to a running service, and back.

`make deploy` and `make destroy` call `python -m infra.deploy up` and `down`. `service` has the
steps in their order, `names` the names of all resources; only `session` imports boto3.
"""
