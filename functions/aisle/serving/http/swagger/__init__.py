"""The page around Swagger UI, for the API's documentation.

Its two files are served unchanged; Swagger UI itself comes from an installed package, not from a
CDN.
"""
