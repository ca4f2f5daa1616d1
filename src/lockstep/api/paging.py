"""Lists: `?limit&cursor` gives `{items, nextCursor}` and a Link to the next page.

A cursor contains the key of the last item, not its position, so no item is repeated or skipped when others are added or removed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NotRequired, TypeVar

import orjson
from fastapi import Depends, Query, Request
from typing_extensions import TypedDict

from lockstep.api.fields import wanted_fields
from lockstep.api.filtering import matching
from lockstep.api.problems import ApiError, ProblemPlace, refused
from lockstep.wording import did_you_mean

MOST = 500
Item = TypeVar("Item")


class Page(TypedDict, Generic[Item]):
    """One page of a list. *nextCursor* is null on the last page. *count* is present with `?count=true`."""

    items: list[Item]
    nextCursor: str | None
    count: NotRequired[int]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query parameters of a list."""

    request: Request
    limit: int
    cursor: str
    filter: str
    sort: str
    count: bool

    def after(self, kind: type[Item]) -> Item | None:
        """Return the key in the cursor, of type *kind*, or None on the first page. Raises ApiError for an invalid cursor."""
        if not self.cursor:
            return None
        try:
            path, sort, key = orjson.loads(base64.urlsafe_b64decode(self.cursor.encode() + b"=="))
        except (ValueError, TypeError):
            raise foreign_cursor() from None
        if (path, sort) != (self._path, self.sort) or not isinstance(key, kind):
            raise foreign_cursor()
        return key

    def place(self) -> tuple[str, str]:
        """Return the name and the id in the cursor. Both are "" on the first page."""
        match self.after(list):
            case None:
                return "", ""
            case [str(name), str(identifier)]:
                return name, identifier
        raise foreign_cursor()

    def cursor_after(self, key: Any) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self._path, self.sort, key])).decode().rstrip("=")

    def refuse_sort(self, only: str) -> None:
        """Raise ApiError if the request asks for another sort order than *only*, the order in which the list is stored."""
        if self.sort not in ("", only):
            raise _refused("sort", f"This list can be sorted only by {only}")

    @property
    def _path(self) -> str:
        return self.request.url.path


def _asked(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Maximum number of items on a page")] = 50,
    cursor: Annotated[str, Query(max_length=2000, description="`nextCursor` of the previous page")] = "",
    filter: Annotated[
        str, Query(max_length=4000, description="A filter in SCIM's grammar (RFC 7644, section 3.4.2.2)")
    ] = "",
    sort: Annotated[
        str, Query(max_length=60, description="The attribute to sort by; `-` before it for descending order")
    ] = "",
    count: Annotated[bool, Query(description="Also count all items, if the list supports that")] = False,
    fields: Annotated[
        str,
        Query(max_length=1000, description="The members to include in items, separated by commas (default: all)"),
    ] = "",
) -> ListQuery:
    request.state.fields = wanted_fields(request, fields)
    return ListQuery(request, limit, cursor, filter, sort, count)


Asking = Annotated[ListQuery, Depends(_asked)]


def page(query: ListQuery, items: Sequence[Item], key: Any, *, count: int | None = None) -> Page[Item]:
    """Build a page of the first *items*, up to the limit. *key* returns the key of an item.

    If there are more items than the limit, *items* must contain one item more than the limit. This last item is not on the page; it shows
    that another page follows.
    """
    shown, has_more = list(items[: query.limit]), len(items) > query.limit
    return page_until(query, shown, key(shown[-1]) if has_more else None, count=count)


def page_until(query: ListQuery, items: Sequence[Item], following: Any, *, count: int | None = None) -> Page[Item]:
    """Build a page that contains all *items*. *following* is the key with which the next page begins, or None if this is the last page."""
    cursor = query.cursor_after(following) if following is not None else None
    found: Page[Item] = {"items": list(items), "nextCursor": cursor}
    if count is not None and query.count:
        found["count"] = count
    if cursor:
        query.request.state.headers["Link"] = f'<{query.request.url.include_query_params(cursor=cursor)}>; rel="next"'
    return found


def page_of_rows(query: ListQuery, rows: Sequence[Any], *, key: str) -> Page[Any]:
    """Return one page of *rows*, a list that is small enough to be read completely. The rows are filtered, and sorted by the attribute that
    the request names. Rows with the same value are sorted by the attribute *key*, which is different in every row.
    """
    found = matching(query.filter, rows)
    wanted = query.sort.removeprefix("-") or key
    if rows and wanted not in rows[0]:
        meant = did_you_mean(wanted, list(rows[0]), otherwise="")
        raise _refused("sort", f'Unknown attribute "{wanted}" in sort', meant)

    def place(row: Mapping[str, Any]) -> list[Any]:
        return [_comparable(row.get(wanted)), _comparable(row.get(key))]

    is_descending = query.sort.startswith("-")
    ordered = sorted(found, key=place, reverse=is_descending)
    after = query.after(list)
    if after is not None:
        if len(after) != 2 or not all(isinstance(one, list) and len(one) == 2 and one[0] in (0, 1, 2) for one in after):
            raise foreign_cursor()
        try:
            ordered = [row for row in ordered if (place(row) < after if is_descending else place(row) > after)]
        except TypeError:
            raise foreign_cursor() from None
    return page(query, ordered[: query.limit + 1], place, count=len(found))


def _comparable(value: Any) -> list[Any]:
    """Make values comparable: null comes before numbers, and numbers come before strings."""
    if value is None:
        return [0, 0]
    return [1, float(value)] if isinstance(value, bool | int | float) else [2, str(value).casefold()]


def foreign_cursor() -> ApiError:
    """Return the error for a cursor that belongs to another list."""
    return _refused(
        "cursor", "The cursor does not belong to this list", "Use nextCursor of the previous page, with the same sort"
    )


def _refused(name: str, detail: str, next_step: str = "") -> ApiError:
    places: list[ProblemPlace] = [{"pointer": f"/query/{name}", "detail": detail}]
    return refused("invalid-request", detail, next_step=next_step, places=places)
