"""The page around Swagger UI, which the API's documentation shows.

Its two files are served as they are; Swagger UI itself comes from a package, not from a network.
"""
