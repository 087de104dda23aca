"""Commands for who keeps a store: its API keys, its models, the feedback that waits for a person.

They look at what there is and decide; none trains, and none answers for a product.
"""
