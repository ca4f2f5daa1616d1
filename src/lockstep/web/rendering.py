"""The kit's renderer with the frame of the admin centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from lockstep import __version__
from lockstep.kit.assets import Assets
from lockstep.kit.page_errors import PageError
from lockstep.kit.pages import CopyAs, PageView
from lockstep.kit.rendering import Renderer
from lockstep.web.callers import SIGN_IN
from lockstep.web.command_pages import STEPS
from lockstep.web.frame import PRODUCT, Frames, PageFrame
from lockstep.web.page import View
from lockstep.web.shared_readings import TOKEN
from lockstep.web.source_words import source_kind


@dataclass(frozen=True, slots=True)
class Site:
    """The content that all pages show. *environment* is the word in the badge, such as demo or production, or "" for no badge."""

    environment: str = ""
    has_api: bool = False


class AdminRenderer(Renderer):
    """Renders with the templates in `web/templates`."""

    def __init__(self, assets: Assets, frames: Frames, site: Site) -> None:
        self._frames = frames
        self._site = site
        super().__init__(
            "lockstep.web",
            PRODUCT,
            {
                "asset": assets.url,
                "version": __version__,
                "sign_in_page": SIGN_IN,
                "site": site,
                "has_page": frames.has,
                "leads": frames.leads,
                "source_kind": source_kind,
            },
            steps=STEPS,
        )

    def frame_of(self, view: PageView) -> PageFrame:
        if not isinstance(view, View):
            raise TypeError(f"{type(view).__name__} is not a view of the admin centre")
        return self._frames.of(view)

    def more_names(self, request: Request) -> Mapping[str, Any]:
        return {"csrf": TOKEN} if getattr(request.state, "is_shared", False) else {}

    def problem_view(self, problem: PageError) -> PageView:
        return View("", problem.title)

    def ways_to_copy(self, request: Request, wanted: CopyAs) -> list[tuple[str, str]]:
        lead = f"{wanted.title}: " if wanted.title else ""
        ways = [(f"{lead}Lockstep CLI", wanted.command)] if wanted.command else []
        if wanted.api and self._site.has_api:
            url = f"{request.url.scheme}://{request.url.netloc}{wanted.api}"
            ways.append((f"{lead}curl", f'curl -H "Authorization: Bearer $TOKEN" \\\n  "{url}"'))
        return ways + [way for part in wanted.more for way in self.ways_to_copy(request, part)]
