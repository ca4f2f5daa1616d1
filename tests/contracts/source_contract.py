"""The obligations of `SourcePass`, which every pass of a source meets. Each has a test with its name.

A module that tests a kind of source has a subclass of `SourceContract` and a fixture `origin`, which has at least five objects.
"""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from lockstep.directory.rows import GroupLine, Line, PersonLine, SourcePage, SourcePass
from lockstep.errors import LockstepError


class Origin(Protocol):
    """Where a source reads from."""

    @property
    def keys(self) -> list[Any]:
        """The keys of its objects in its order; of a membership, the keys of both ends."""
        ...

    def open(self) -> SourcePass: ...

    def spoil(self) -> None:
        """Make the second object unreadable, but not its key."""
        ...

    def cut_off(self) -> None:
        """Cut it off in the last object."""
        ...

    def empty(self) -> None:
        """Take all objects away."""
        ...

    def lose(self) -> None:
        """Take it away."""
        ...

    def add(self) -> None:
        """Add an object."""
        ...


def key(line: Line) -> Any:
    return line.key if isinstance(line, PersonLine | GroupLine) else (line.group, line.member)


async def pages_of(reading: SourcePass, size: int = 100) -> list[SourcePage]:
    return [page async for page in reading.pages(size)]


def lines_of(pages: list[SourcePage]) -> list[Line]:
    return [line for page in pages for line in page.lines]


class SourceContract:
    """The tests. Their names are the obligations."""

    async def test_pass_delivers_every_object_once_in_the_order_of_the_source(self, origin: Origin) -> None:
        assert [key(line) for line in lines_of(await pages_of(origin.open()))] == origin.keys

    @pytest.mark.parametrize("size", [1, 2, 1000])
    async def test_page_has_at_most_the_requested_number_of_rows(self, origin: Origin, size: int) -> None:
        pages = await pages_of(origin.open(), size)

        assert max(len(page.lines) + len(page.bad) for page in pages) <= size
        assert [key(line) for line in lines_of(pages)] == origin.keys

    @pytest.mark.parametrize("size", [1, 2, 1000])
    async def test_only_the_last_page_says_that_the_source_ended(self, origin: Origin, size: int) -> None:
        pages = await pages_of(origin.open(), size)

        assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert [page.unproven for page in pages] == [""] * len(pages)

    async def test_second_pass_delivers_the_same_keys_and_digests(self, origin: Origin) -> None:
        first, second = [lines_of(await pages_of(origin.open())) for _ in range(2)]

        assert first == second

    async def test_survey_counts_the_rows_of_all_pages(self, origin: Origin) -> None:
        origin.spoil()
        reading = origin.open()

        survey = await reading.survey()

        pages = await pages_of(reading)
        bad = sum(len(page.bad) for page in pages)
        assert (survey.rows, survey.bad) == (len(lines_of(pages)) + bad, bad)
        assert bad == 1

    async def test_unusable_row_is_reported_with_its_reason_and_no_other_row_is_lost(self, origin: Origin) -> None:
        whole = origin.keys
        origin.spoil()

        pages = await pages_of(origin.open())

        [bad] = [row for page in pages for row in page.bad]
        assert [key(line) for line in lines_of(pages)] == [whole[0], *whole[2:]]
        assert bad.reason and bad.line > 1
        assert bad.key in (whole[1], "")

    async def test_source_without_objects_has_one_page_which_is_the_last(self, origin: Origin) -> None:
        origin.empty()

        [page] = await pages_of(origin.open())

        assert (page.lines, page.bad, page.is_last) == ((), (), True)

    async def test_if_the_source_is_cut_off_the_pass_never_concludes_that_objects_are_missing(
        self, origin: Origin
    ) -> None:
        origin.cut_off()

        pages = await pages_of(origin.open())

        assert pages[-1].unproven

    async def test_if_the_source_changes_after_the_survey_the_pass_never_concludes_that_objects_are_missing(
        self, origin: Origin
    ) -> None:
        reading = origin.open()
        await reading.survey()
        origin.add()

        pages = await pages_of(reading)

        assert pages[-1].unproven

    async def test_source_that_fails_raises_and_never_looks_empty(self, origin: Origin) -> None:
        reading = origin.open()
        await reading.survey()
        origin.lose()

        with pytest.raises((OSError, LockstepError)):
            await pages_of(reading)

    async def test_pass_says_which_attribute_identifies_its_objects(self, origin: Origin) -> None:
        reading = origin.open()

        assert reading.key
        assert reading.is_full
        assert reading.only_group == ""
