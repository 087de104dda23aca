"""Who may ask: API keys, the scopes that they open, and the limits on their use.

Here belongs what makes, keeps and checks a key. How a request presents one, and what it is told
where it may not pass, belongs to `aisle.serving.http` and to the authorizer's function.
"""
