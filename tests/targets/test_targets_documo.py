"""Matching by any value against a real Documo: exactly the requested account is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.ports import TargetError, Verdict
from lockstep.targets.scim_target import ScimTarget
from tests.support.documo_sandbox import sandbox_targets

USER = ObjectKind.USER
_numbers = count()

VALUES = [
    'anna "the quick" lindqvist',
    "back\\slash",
    "ends with a backslash\\",
    '\\"',
    "\\u0041",
    "a+b@example.com",
    "50%20off % %zz",
    "a&b=c;d?e#f/g",
    "O'Brien -- '; drop table x",
    "tab\there",
    "new\nline and return\r",
    "control \x01\x1f\x7f\x85",
    "line separators \u2028\u2029",
    "Zoë Ångström 李 ﷽",
    "combining e\u0301",
    "𝒜𝓃𝓃𝒶 👩‍👩‍👧 \U0010ffff",
    " leading and trailing ",
    "(a) or (b) and not [c] {d}",
    'x" or userName pr or displayName eq "',
    "true",
    "null",
    "007",
    "*",
]


@pytest.fixture(scope="module")
async def documo() -> AsyncIterator[ScimTarget]:
    async with sandbox_targets() as [target]:
        for name in ("bystander1", "bystander2"):
            await target.create(USER, {"userName": name, "externalId": name}, operation_id=name)
        yield target


async def create(documo: ScimTarget, **values: object) -> str:
    answer = await documo.create(USER, {"userName": f"user{next(_numbers)}"} | values, operation_id="op")
    assert answer.verdict is Verdict.DONE, answer
    assert answer.account is not None
    return answer.account.id


# Letters that no user name may hold (RFC 8265, section 3).
NOT_IN_NAMES = ("\t", "\n", "\x01", "\u2028", "\ufdfd", "\U0001d49c")
NO_USER_NAMES = [one for one in VALUES if one != one.strip() or any(letter in one for letter in NOT_IN_NAMES)]
HELD = [
    (attribute, value)
    for attribute in ("externalId", "displayName", "nickName", "userName")
    for value in VALUES
    if attribute != "userName" or value not in NO_USER_NAMES
]


@pytest.mark.parametrize("value", NO_USER_NAMES, ids=ascii)
async def test_name_with_letters_that_no_user_name_may_hold_is_refused(documo: ScimTarget, value: str) -> None:
    answer = await documo.create(USER, {"userName": value}, operation_id="op")

    assert (answer.verdict, "RFC 8265" in answer.detail) == (Verdict.REFUSED, True)


@pytest.mark.parametrize(("attribute", "value"), HELD, ids=ascii)
async def test_account_is_found_by_exactly_its_value(documo: ScimTarget, attribute: str, value: str) -> None:
    made = await create(documo, **{attribute: value})

    assert [account.id for account in await documo.find(USER, attribute, value)] == [made]
    assert list(await documo.find(USER, attribute, value + "x")) == []


@pytest.mark.parametrize("value", VALUES, ids=ascii)
async def test_value_that_nobody_has_finds_nobody(documo: ScimTarget, value: str) -> None:
    assert list(await documo.find(USER, "userName", f"nobody {value}")) == []
    assert list(await documo.find(USER, 'emails[type eq "work"].value', f"nobody {value}")) == []


async def test_address_in_a_filtered_path_is_found_whatever_is_in_it(documo: ScimTarget) -> None:
    value = 'an"na\\+1%@example.com'
    made = await create(documo, **{'emails[type eq "work"].value': value})
    await create(documo, **{'emails[type eq "home"].value': value})

    assert [one.id for one in await documo.find(USER, 'emails[type eq "work"].value', value)] == [made]


async def test_value_that_nobody_can_hold_finds_nobody_or_is_refused(documo: ScimTarget) -> None:
    try:
        found = await documo.find(USER, "userName", "null \x00 character")
    except TargetError as refused:
        assert refused.answer.verdict is Verdict.REFUSED
    else:
        assert list(found) == []
