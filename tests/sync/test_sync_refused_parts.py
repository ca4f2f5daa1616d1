"""An attribute that an application refuses does not block other changes, is named, and is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.engine.records import Change
from lockstep.ports import Answer, Verdict
from lockstep.targets.scim_answers import words_of
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, USERS, World, upn

OPTIONAL = [
    {"target": path, "source": path} for path in ("title", "nickName", "locale", "timezone", "preferredLanguage")
]
WITH_OPTIONAL = CONFIG | {"mappings": [USERS | {"attributes": [*USERS["attributes"], *OPTIONAL]}]}
VALUES: dict[str, Any] = {one["target"]: "one" for one in OPTIONAL}


class Picky(ModelTarget):
    """Refuses requests with the attribute *dislikes*; *names_it*: whether the error names that attribute."""

    dislikes = "nickName"
    names_it = True

    def _refusal(self, paths: list[str]) -> Answer | None:
        if self.dislikes not in paths:
            return None
        detail = f"Attribute '{self.dislikes}' is unknown" if self.names_it else "Bad request"
        named = words_of(detail)
        return answered(Verdict.REFUSED, status=400, code="SchemaAttributeNotFound", detail=detail, named=named)

    async def create(self, kind: Any, values: Any, *, operation_id: str) -> Answer:
        self.requests["asked"] += 1
        return self._refusal(list(values)) or await super().create(kind, values, operation_id=operation_id)

    async def update(self, kind: Any, target_id: str, changes: Any, **more: Any) -> Answer:
        self.requests["asked"] += 1
        refusal = self._refusal([change.path for change in changes])
        return refusal or await super().update(kind, target_id, changes, **more)


@pytest.fixture
def target() -> ModelTarget:
    return Picky()


async def failures(world: World) -> list[str]:
    rows = await world.rows("select last_error->>'reason' from dirty where failures > 0")
    return [str(row[0]) for row in rows]


async def in_step_but_disliked(world: World, target: Picky) -> None:
    target.dislikes = "nothing"
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1], **VALUES)
    await world.sync()
    target.dislikes = "nickName"
    target.requests.clear()


@pytest.mark.parametrize("names_it", [True, False])
async def test_other_changes_and_re_enabling_go_on_when_one_attribute_is_refused(
    world: World, target: Picky, names_it: bool
) -> None:
    target.names_it = names_it
    await in_step_but_disliked(world, target)
    await world.unassign([1])
    await world.drain()
    assert target.people()[upn(1)]["active"] is False
    target.requests.clear()

    await world.change([1], **dict.fromkeys(VALUES, "two"))
    await world.assign([1])
    await world.drain()

    account = target.people()[upn(1)]
    assert account["active"] is True
    assert {path: account[path] for path in VALUES} == VALUES | dict.fromkeys(VALUES, "two") | {"nickName": "one"}
    assert ["nickName" in reason for reason in await failures(world)] == [True]
    assert target.requests["asked"] <= (3 if names_it else 13)
    assert await world.value("select base->>'active' from link") == "true"


async def test_refused_attribute_is_tried_again_alone_and_then_done(world: World, target: Picky) -> None:
    await in_step_but_disliked(world, target)
    await world.change([1], **dict.fromkeys(VALUES, "two"))
    await world.drain()
    target.requests.clear()

    target.dislikes = "nothing"
    await world.rows("update dirty set not_before = '-infinity' returning 1")
    await world.drain()

    assert target.people()[upn(1)]["nickName"] == "two"
    assert target.requests["asked"] == 1
    assert await failures(world) == []


async def test_account_is_created_without_the_attribute_that_the_refusal_names(world: World, target: Picky) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1], **VALUES)

    await world.sync()

    assert "nickName" not in target.people()[upn(1)]
    assert target.people()[upn(1)]["title"] == "one"
    assert ["nickName" in reason for reason in await failures(world)] == [True]
    assert len(target.accounts[USER]) == await world.value("select count(*) from link where state = 'live'") == 1


async def test_create_is_not_sent_again_where_the_refusal_names_nothing(world: World, target: Picky) -> None:
    target.names_it = False
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1], **VALUES)

    await world.sync()

    assert target.accounts[USER] == {}
    assert target.requests["asked"] == 1


async def test_refused_attribute_is_named_in_the_log(world: World, target: Picky) -> None:
    await in_step_but_disliked(world, target)
    await world.change([1], **dict.fromkeys(VALUES, "two"))
    await world.drain()

    status, reason = (await world.rows("select status, reason from provisioning_log order by at desc limit 1"))[0]
    assert status == "failure"
    assert reason.startswith("nickName was rejected; everything else was written.")


def test_change_says_whether_it_is_about_active() -> None:
    assert [Change(path, None, True).switches for path in ("active", "urn:x:User:Active", "title")] == [
        True,
        True,
        False,
    ]
