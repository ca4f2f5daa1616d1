"""Which member a response signs in: names that are only similar, and responses that arrive at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from documo import members
from documo.members import find_members
from documo.store.database import Store
from documo.user_names import is_same_name
from lockstep.errors import LockstepError
from tests.documo.sso_world import World

ANNA, NEW = "anna@contoso.example", "new@contoso.example"
AT_ONCE = 6


async def named(world: World, search: str) -> list[str]:
    return [one.user_name for one in await find_members(world.store, world.one, search=search, after="", most=10)]


async def test_first_sign_ins_of_a_person_at_once_create_one_member_and_all_succeed(world: World) -> None:
    await world.set_up(world.one, creates_members=True, default_role="Viewer")

    signed_in = await asyncio.gather(*(world.sign_in(NEW) for _ in range(AT_ONCE)))

    assert signed_in == [f"{NEW} of One as Viewer"] * AT_ONCE
    assert await named(world, "new@") == [NEW]


async def test_person_whom_provisioning_creates_during_the_first_sign_in_is_signed_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.set_up(world.one, creates_members=True, default_role="Viewer")
    inner = members.add_member

    async def add_member(store: Store, tenant_id: int, email: str, *, role: str) -> str:
        await inner(store, tenant_id, email, role="Editor")  # provisioning is a moment earlier
        return await inner(store, tenant_id, email, role=role)

    monkeypatch.setattr(members, "add_member", add_member)

    assert await world.sign_in(NEW) == f"{NEW} of One as Editor"


async def test_response_that_arrives_several_times_at_once_signs_in_once(world: World) -> None:
    asked, browser = await world.ask()
    form = world.provider.response(ANNA, asked=asked)

    taken = await asyncio.gather(*(world.take(form) for _ in range(AT_ONCE)), return_exceptions=True)

    tickets = [one for one in taken if isinstance(one, str)]
    assert [one.code for one in taken if isinstance(one, LockstepError)] == ["AssertionUsed"] * (AT_ONCE - 1)
    assert [await world.collected(one, browser) for one in tickets] == [f"{ANNA} of One as Member"]


async def test_ticket_that_is_collected_several_times_at_once_gives_one_session(world: World) -> None:
    asked, browser = await world.ask()
    ticket = await world.take(world.provider.response(ANNA, asked=asked))

    found = await asyncio.gather(*(world.collected(ticket, browser) for _ in range(AT_ONCE)), return_exceptions=True)

    assert [one for one in found if isinstance(one, str)] == [f"{ANNA} of One as Member"]
    assert len(await world.sessions()) == 1


@pytest.mark.parametrize("makes", [False, True])
@pytest.mark.parametrize(
    ("member", "vouched"),
    [
        (ANNA, "\uff41nna@contoso.example"),
        ("stra\u00dfe@contoso.example", "strasse@contoso.example"),
        ("strasse@contoso.example", "stra\u00dfe@contoso.example"),
        ("zo\u00eb.strasse@contoso.example", "zo\u00eb.stra\u00dfe@contoso.example"),
        ("zo\u00eb@contoso.example", "\uff5ao\u00eb@contoso.example"),
        ("kim@contoso.example", "\u212aim@contoso.example"),
    ],
)
async def test_person_whose_name_is_only_similar_is_not_signed_in(
    world: World, member: str, vouched: str, makes: bool
) -> None:
    if member != ANNA:
        await members.add_member(world.store, world.one.id, member, role="Member")
    await world.set_up(world.one, creates_members=makes)

    with pytest.raises(LockstepError) as refused:
        await world.sign_in(vouched)

    assert (refused.value.code, member in refused.value.detail) == ("SimilarName", True)
    assert [result for _, result, *_ in await world.attempts()] == ["SimilarName"]
    assert await world.sessions() == []


@pytest.mark.parametrize(
    ("vouched", "name"),
    [
        ("ANNA@Contoso.example", ANNA),
        ("ZO\u00cb@contoso.example", "zoe\u0308@contoso.example"),
        ("STRA\u1e9eE@contoso.example", "stra\u00dfe@contoso.example"),
        ("\u041e\u041b\u0413\u0410@contoso.example", "\u043e\u043b\u0433\u0430@contoso.example"),
    ],
)
def test_case_and_composition_of_letters_make_no_other_name(vouched: str, name: str) -> None:
    assert is_same_name(vouched, name)
