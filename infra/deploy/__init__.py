"""From a bare AWS account to a running service, and back.

`python -m infra.deploy up` and `down` are what `make deploy` and `make destroy` call. `service` has
the steps in their order, `names` what everything is called; only `session` imports boto3.
"""
