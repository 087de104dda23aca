"""The authorizer function on Lambda: it tells API Gateway which routes an API key opens.

It holds the handler, the settings and the policy document; keys and scopes are in `aisle.access`.
It runs without numpy and is not part of the wheel.
"""
