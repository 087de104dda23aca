"""The feedback function: what people say of predictions, kept."""
