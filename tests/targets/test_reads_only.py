"""A target that was opened only for reading sends nothing that could write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from lockstep.engine.records import Change, ObjectKind
from lockstep.errors import LockstepError
from lockstep.ports import NewAccount, Target, TargetSettings
from lockstep.targets.opener import ScimTargets
from lockstep.targets.scim_requests import RequestPurpose, ScimRequest
from lockstep.vault import Secret
from tests.support.scripted_scim import scripted_scim

USER = ObjectKind.USER
KIM = {"userName": "kim@contoso.test"}
WRITES: dict[str, Callable[[Target], Awaitable[object]]] = {
    "create": lambda target: target.create(USER, KIM, operation_id="1"),
    "update": lambda target: target.update(
        USER, "a1", [Change("userName", "kim", "kim@contoso.test")], current=None, etag="", operation_id="1"
    ),
    "delete": lambda target: target.delete(USER, "a1", etag="", operation_id="1"),
    "bulk": lambda target: target.create_many(USER, [NewAccount("1", KIM), NewAccount("2", KIM)]),
    "members": lambda target: target.change_members("a1", add=["a2"], remove=[], operation_id="1"),
}


@pytest.mark.parametrize("write", WRITES)
async def test_target_opened_for_reading_sends_no_write(write: str) -> None:
    async with scripted_scim() as application:
        targets = ScimTargets([application.origin])
        settings = TargetSettings("documo", "Documo", f"{application.origin}/scim/v2", Secret("token"))
        reader = targets.open(replace(settings, reads_only=True))

        with pytest.raises(LockstepError, match="Nothing was sent"):
            await WRITES[write](reader)
        found = await reader.find(USER, "userName", "kim@contoso.test")

        assert found == ()
        assert set(application.asked) <= {"search", "get", "listing"}
        await targets.close()


@pytest.mark.parametrize(
    ("method", "path", "is_read"),
    [
        ("GET", "/Users", True),
        ("POST", "/Users/.search", True),
        ("POST", "/.search?flag", True),
        ("POST", "/Users", False),
        ("POST", "/Users?next=/.search", False),
        ("PUT", "/Users/1", False),
        ("PATCH", "/Users/1", False),
        ("DELETE", "/Users/1", False),
    ],
)
def test_only_get_and_search_by_post_are_reads(method: str, path: str, is_read: bool) -> None:
    assert ScimRequest(RequestPurpose.FIND, USER, method, path).is_read is is_read
