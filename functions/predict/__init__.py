"""The predict function: products in, categories out."""
