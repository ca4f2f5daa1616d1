"""Decide when Lockstep looks again for an account that is gone. Pure.

An application may show an account again, for example after its database was restored. If the person should not have the account, it must
then be disabled. Each wait is as long as the time for which the account has been gone, but at least an hour. The waits therefore double,
and the search never ends.
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
    """Return the new state of *link* after a deletion, if the only evidence is that the application does not find the account. This does
    not prove that the account is gone, so Lockstep searches for the account again.
    """
    return replace(
        link,
        state=LinkState.TOMBSTONE,
        gone_at=moment.now,
        review_at=next_search(moment.now, moment),
        desired_hash="",
    )
