"""Find out from an application's responses which forms of a request it understands. Pure.

A manager is written as `{"value": id}` (RFC 7643, 4.3) or as the bare id, which is what Microsoft Entra sends. A member is removed by a
filter in the path (RFC 7644, 3.5.2.2) or, as Entra does, by a value. Some servers report success for both forms but understand only one of
them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lockstep.engine.records import Change
from lockstep.ports import Answer, Verdict
from lockstep.scim import patch_build
from lockstep.scim.members import shown_members
from lockstep.targets.scim_requests import needs_current

MAY_BE_THE_FORM = frozenset({400, 422, 500})


def misread_managers(changes: Sequence[Change], answer: Answer) -> list[Change]:
    """Return those *changes* of a manager that the application misread: *answer* shows a manager other than the one in the change. The
    result is empty if *answer* has no resource.
    """
    if answer.account is None:
        return []
    resource = answer.account.resource
    return [one for one in changes if is_manager(one) and str(patch_build.read_path(resource, one.path)) != one.new]


def may_be_about_managers(changes: Sequence[Change], answer: Answer) -> bool:
    """Whether a PATCH may have failed because of the form of the manager in it."""
    last = answer.exchanges[-1] if answer.exchanges else None
    may_be = last is not None and last.method == "PATCH" and last.status in MAY_BE_THE_FORM
    return may_be and any(map(is_manager, changes))


def may_be_repeated(changes: Sequence[Change]) -> bool:
    """Whether *changes* can safely be sent again after a failed PATCH, without reading the account first.

    The server reported a failure, but it may have stored the changes anyway. It is harmless to repeat changes that set values. A change
    that adds an element to a multi-valued attribute must not be repeated, because the element could then exist twice.
    """
    return not any(change.added for change in changes) and not needs_current(changes, "rfc")


def is_manager(change: Change) -> bool:
    """Whether the change sets a manager."""
    return isinstance(change.new, str) and change.path.rpartition(":")[2].casefold() == "manager"


def still_members(answer: Answer, removed: Collection[str]) -> list[str]:
    """The ids in *removed* that *answer* still shows as members. Most responses do not show members; the result is then empty."""
    shown = (shown_members(answer.account.resource) if answer.account is not None else None) or frozenset()
    return [one for one in removed if one in shown]


def has_no_patch(answer: Answer) -> bool:
    """Whether the application does not offer PATCH, which is optional (RFC 7644, 3.5.2)."""
    last = answer.exchanges[-1] if answer.exchanges else None
    return answer.verdict is Verdict.REFUSED and last is not None and last.status in (405, 501)
