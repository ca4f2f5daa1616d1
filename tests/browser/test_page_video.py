"""A video shows a page from the beginning of a test to its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser

from tests.support.page_video import filming

pytestmark = pytest.mark.full
PAGE = "data:text/html,<body style='margin:0;background:%s'>"


async def test_video_has_what_the_page_showed_and_ends_with_what_it_shows_last(chrome: Browser, tmp_path: Path) -> None:
    page = await chrome.new_page()
    await page.goto(PAGE % "red")
    async with filming(page, tmp_path / "video.webp"):
        await page.goto(PAGE % "lime")
    await page.context.close()

    video = Image.open(tmp_path / "video.webp")
    colours = []
    for frame in range(video.n_frames):  # type: ignore[attr-defined]
        video.seek(frame)
        red, green, _ = video.convert("RGB").getpixel((100, 100))  # type: ignore[misc]
        colours.append("red" if red > 200 else "lime" if green > 200 else "")
    assert "red" in colours and colours[-1] == "lime"
