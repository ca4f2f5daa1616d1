"""Decide when an account that is gone is looked for again. Pure.

An application may show an account again, for example after its database was restored. If its person should not have it, it must then be
disabled. Each wait is as long as the account has been gone, so the waits double, and the search never ends.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lockstep.engine.moment import Moment
from lockstep.engine.records import Link, LinkState

FIRST_SEARCH = timedelta(hours=1)


def next_search(gone_at: datetime, moment: Moment) -> datetime:
    """Return when to look for an account that has been gone since *gone_at*."""
    return moment.now + max(FIRST_SEARCH, moment.now - gone_at)


def ended(link: Link, moment: Moment) -> Link:
    """Return *link* after its account was deleted without a usable answer: nothing but "not found" says that it is gone."""
    return replace(
        link,
        state=LinkState.TOMBSTONE,
        gone_at=moment.now,
        review_at=next_search(moment.now, moment),
        desired_hash="",
    )
