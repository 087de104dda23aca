"""The demo's made-up shop, for tests; see `demo.shop`."""

from demo.shop import TREE, category_path, family, messy, products, write_catalogue

__all__ = ["TREE", "category_path", "family", "messy", "products", "write_catalogue"]
