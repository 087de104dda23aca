"""Access control: API keys, their scopes, and the limits on their use.

This package makes, stores and checks keys. How a request presents a key, and how a refusal is
answered, belongs to `aisle.serving.http` and to the authorizer function.
"""
