"""The authorizer function on Lambda: which API key opens what, asked by API Gateway.

Handler, settings and the policy that API Gateway takes; keys and scopes are `aisle.access`'s. It
runs without numpy, and is no part of the wheel.
"""
