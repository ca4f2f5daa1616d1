"""The built scripts, styles and fonts. Their names contain a hash of the content, so clients may cache them forever."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from lockstep.errors import not_found

PREFIX = "/assets/"
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class Assets:
    """The built files in *folder*."""

    folder: Path

    @cached_property
    def names(self) -> dict[str, str]:
        """The file name of each asset: `lockstep.css` -> `lockstep-5c6fd1673a.css`. Raises LockstepError if the assets were not built."""
        try:
            read: dict[str, str] = json.loads((self.folder / "manifest.json").read_text())
        except OSError:
            raise not_found(
                "The pages' scripts and styles have not been built",
                next_step="In a checkout of the source, run: make env",
            ) from None
        return read

    @cached_property
    def _served(self) -> frozenset[str]:
        return frozenset(self.names.values())

    def url(self, name: str) -> str:
        """Return the address of the asset *name*. Raises KeyError for an unknown one."""
        return PREFIX + self.names[name]

    def route(self) -> Route:
        return Route(PREFIX + "{file}", self._serve, methods=["GET"], name="assets")

    async def _serve(self, request: Request) -> Response:
        file = request.path_params["file"]
        if file not in self._served:  # this also rejects `..`
            return PlainTextResponse("No such file.\n", status_code=404)
        headers = FOREVER | {"Vary": "Accept-Encoding"}
        media_type = MEDIA_TYPES.get(Path(file).suffix, "application/octet-stream")
        accepted = {word.split(";")[0].strip() for word in request.headers.get("accept-encoding", "").split(",")}
        for encoding, suffix in ENCODINGS:
            if encoding in accepted and (self.folder / (file + suffix)).exists():
                headers |= {"Content-Encoding": encoding}
                return FileResponse(self.folder / (file + suffix), headers=headers, media_type=media_type)
        return FileResponse(self.folder / file, headers=headers, media_type=media_type)
