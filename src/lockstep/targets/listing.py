"""Read lists of accounts and check that they are complete. Pure.

An application may ignore a filter, repeat a page forever, or announce more accounts than it returns. If a list cannot be shown to be
complete, the read has failed; such a list is never a result.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from lockstep.engine.records import Account
from lockstep.ports import TargetPage
from lockstep.targets.scim_answers import account_in, id_in
from lockstep.targets.scim_requests import ScimRequest, values_at

MOST_PAGES = 50_000
MOST_FOUND = 50


class Dishonest(Exception):
    """Raised if a list breaks the protocol. *fault* completes a sentence such as "Documo answered GET /Users ..."."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def read_list(request: ScimRequest, content: Mapping[str, Any]) -> tuple[tuple[Account, ...], int]:
    """Return the accounts and the totalResults of one ListResponse. Raises Dishonest if *content* is not a ListResponse (RFC
    7644, 3.4.2).
    """
    fields = {name.lower(): value for name, value in content.items()}
    total = fields.get("totalresults")
    if isinstance(total, str) and total.isascii() and total.isdigit():
        total = int(total)
    if type(total) is not int or total < 0:
        raise Dishonest("without the list of results that SCIM requires (totalResults is missing)")
    resources = fields.get("resources")
    if resources is None:
        resources = []
    if not isinstance(resources, list):
        raise Dishonest("with Resources that are not a list")
    accounts = []
    for resource in resources:
        if not isinstance(resource, dict) or not id_in(resource):
            raise Dishonest("with an account that has no id")
        accounts.append(account_in(request, resource))
    return tuple(accounts), total


def read_found(request: ScimRequest, content: Mapping[str, Any], *, attribute: str, value: str) -> tuple[Account, ...]:
    """Return the accounts that a search found. Raises Dishonest if one of them does not have the value that was searched for."""
    accounts, total = read_list(request, content)
    if total > 0 and not accounts:
        raise Dishonest(f"with totalResults {total}, but returned none of them")
    wanted = _folded(value)
    for account in accounts:
        if all(_folded(held) != wanted for held in values_at(account.resource, attribute)):
            raise Dishonest(f"with accounts whose {attribute} is not the one requested: it seems to ignore filters")
    return accounts[:MOST_FOUND]


class Listing:
    """Reads a list of accounts page by page and checks it. The pages must be passed in order."""

    def __init__(self) -> None:
        self.next_index = 1
        self._read = 0
        self._total: int | None = None
        self._pages: set[int] = set()

    def take(self, request: ScimRequest, content: Mapping[str, Any]) -> TargetPage:
        """Check one page, return it, and set `next_index` for the next page. Raises Dishonest if the list cannot be complete."""
        accounts, total = read_list(request, content)
        if self._total is not None and total < self._total:
            raise Dishonest("while accounts were deleted, so some may have been skipped")
        if len({account.id for account in accounts}) < len(accounts):
            raise Dishonest("with the same account twice on one page")
        page = hash(tuple(account.id for account in accounts))
        if accounts and page in self._pages:
            raise Dishonest("with a page that it had already returned")
        self._pages.add(page)
        self._total = total
        self._read += len(accounts)
        self.next_index = self._read + 1
        if self._read > total:
            raise Dishonest(f"with more accounts than the reported total of {total}")
        is_last = self._read == total
        if not accounts and not is_last:
            raise Dishonest(f"with {self._read} accounts, but reported a total of {total}")
        if len(self._pages) >= MOST_PAGES and not is_last:
            raise Dishonest("with an endless series of pages")
        return TargetPage(accounts, total, is_last)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()
