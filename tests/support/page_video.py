"""A video of a page as an animated WebP picture, which every browser plays.

Chromium sends a frame whenever the page changes. Playwright's own videos need an ffmpeg that Debian's Chromium does not bring.
"""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import CDPSession, Page

QUALITY = 60  # percent, of each frame
LONGEST_STILL = 2.0  # seconds that a frame is shown although nothing changed
LAST_FRAME = 3.0  # seconds
SHORTEST = 20  # ms that a frame is shown


@dataclass(frozen=True, slots=True)
class VideoFrame:
    at: float  # seconds since the epoch
    jpeg: bytes


class PageVideo:
    """The frames of one page since `begin`."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self._page = page
        self._session = session
        self._answers: set[asyncio.Task[Any]] = set()
        self.frames: list[VideoFrame] = []

    async def begin(self) -> None:
        self._session.on("Page.screencastFrame", self._take)
        await self._session.send("Page.startScreencast", {"format": "jpeg", "quality": QUALITY})

    async def end(self, file: Path) -> None:
        """Write what was seen to *file*. The last frame is the page as it is now."""
        await self._session.send("Page.stopScreencast")
        await asyncio.gather(*self._answers, return_exceptions=True)
        self.frames.append(VideoFrame(time.time(), await self._page.screenshot(type="jpeg", quality=QUALITY)))
        await asyncio.to_thread(write_video, self.frames, file)

    def _take(self, frame: Mapping[str, Any]) -> None:
        self.frames.append(VideoFrame(frame["metadata"]["timestamp"], base64.b64decode(frame["data"])))
        answer = asyncio.ensure_future(self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]}))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)


@asynccontextmanager
async def filming(page: Page, file: Path) -> AsyncIterator[None]:
    """Film *page* during the block, and write the video to *file*."""
    video = PageVideo(page, await page.context.new_cdp_session(page))
    await video.begin()
    try:
        yield
    finally:
        await video.end(file)


def write_video(frames: Sequence[VideoFrame], file: Path) -> None:
    """Write *frames* as an animated picture. All frames get the size of the largest one, because a window may change its size."""
    pictures = [Image.open(io.BytesIO(one.jpeg)) for one in frames]
    size = (max(one.width for one in pictures), max(one.height for one in pictures))
    shown = [min(after.at - one.at, LONGEST_STILL) for one, after in pairwise(frames)]
    first, *others = (_on_canvas(one, size) for one in pictures)
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=[max(round(seconds * 1000), SHORTEST) for seconds in (*shown, LAST_FRAME)],
        quality=QUALITY,
        method=0,
    )


def _on_canvas(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    canvas = Image.new("RGB", size, "white")
    canvas.paste(picture, (0, 0))
    return canvas
