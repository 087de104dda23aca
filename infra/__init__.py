"""The cloud: the stack's templates, what deploys them, and what they cost."""
