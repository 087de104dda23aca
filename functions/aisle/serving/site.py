"""The demo page beside the API: the files of `static_site/`, as CloudFront serves them."""

from mimetypes import guess_type
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import FileResponse

_PACKAGED: Final = Path(__file__).with_name("static_site")
_ROOT: Final = Path(__file__).parents[3]
# The wheel has the page and its figures in this package; a checkout has them in separate folders.
FOLDER: Final = _PACKAGED if _PACKAGED.is_dir() else _ROOT / "static_site"
COMPARISON: Final = (_PACKAGED if _PACKAGED.is_dir() else _ROOT / "benchmark" / "results") / (
    "comparison.json"
)
"""What `aisle compare --report benchmark` measured; the page shows it if the file exists."""
_HOME: Final = "index.html"
# The headers that CloudFront sends (infra/site.yaml), except that the API has the same origin here.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_site(api: FastAPI, folder: Path = FOLDER, comparison: Path = COMPARISON) -> None:
    """Add the page's files to an application.

    Each file is a separate route, so that the API answers every other address, with its problems.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        name = path.relative_to(folder).as_posix()
        _add(api, f"/{name}", path)
        if name == _HOME:
            _add(api, "/", path)
    if comparison.is_file():
        _add(api, f"/{comparison.name}", comparison)


def _add(api: FastAPI, url: str, path: Path) -> None:
    kind = guess_type(path.name)[0]

    def file() -> FileResponse:
        return FileResponse(path, media_type=kind, headers=HEADERS)

    api.add_api_route(url, file, methods=["GET", "HEAD"], include_in_schema=False, name=url)
