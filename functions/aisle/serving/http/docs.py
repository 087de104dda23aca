"""The page that shows the OpenAPI description: Swagger UI, served entirely from this origin."""

from importlib import resources

from fastapi import FastAPI, Response

# Only what this origin serves; the style sheet embeds its images as data URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_CACHED = _HEADERS | {"Cache-Control": "public, max-age=3600"}

_OURS = "aisle.serving.http.swagger"
_THEIRS = "fastapi_swagger.resources"
_ASSETS = {
    "start.js": (_OURS, "text/javascript"),
    "swagger-ui-bundle.js": (_THEIRS, "text/javascript"),
    "swagger-ui.css": (_THEIRS, "text/css"),
    "favicon-32x32.png": (_THEIRS, "image/png"),
}


def add_docs(app: FastAPI, url: str) -> None:
    """Add the page at `url` and its assets below it; links in the page are relative."""
    app.add_api_route(url, _page, include_in_schema=False)
    for name in _ASSETS:
        app.add_api_route(f"{url}/{name}", _Asset(name), include_in_schema=False, name=name)


def _page() -> Response:
    return Response(_read(_OURS, "index.html"), media_type="text/html", headers=_HEADERS)


class _Asset:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self) -> Response:
        package, media_type = _ASSETS[self._name]
        return Response(_read(package, self._name), media_type=media_type, headers=_CACHED)


def _read(package: str, name: str) -> bytes:
    return resources.files(package).joinpath(name).read_bytes()
