"""The cloud: the stack's templates, the commands that deploy them, and their cost."""
