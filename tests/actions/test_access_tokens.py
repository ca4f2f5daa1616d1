"""Access tokens: what they may do, and what ends them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lockstep.actions import access_tokens, administrators
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.permissions import Permission, Role
from lockstep.errors import LockstepError
from tests.support.hub import Hub

BEN = "ben@contoso.test"


@pytest.fixture
async def context(hub: Hub) -> Context:
    """The operator's context, with the administrator Ben."""
    await administrators.invite(hub.context, "anna@contoso.test", [Role.GLOBAL_ADMINISTRATOR])
    await administrators.invite(hub.context, BEN, [Role.OPERATOR])
    return hub.context


async def permissions_with(context: Context, token: str) -> set[str] | None:
    caller = await access_tokens.caller_of_token(replace(context, actor=NOT_SIGNED_IN), token)
    return set(caller.actor.permissions) if caller else None


async def test_a_personal_token_never_exceeds_its_owner(context: Context) -> None:
    scopes = [Permission.LOGS_READ, Permission.PROVISIONING_CONTROL]
    token = await access_tokens.create_personal_token(context, "ci", scopes, owner=BEN)
    with pytest.raises(LockstepError, match="does not have the permission"):
        await access_tokens.create_personal_token(context, "ci", [Permission.CREDENTIALS_WRITE], owner=BEN)

    assert await permissions_with(context, token.secret) == set(scopes)
    await administrators.change_roles(context, BEN, [Role.AUDITOR])
    assert await permissions_with(context, token.secret) == {Permission.LOGS_READ}


@pytest.mark.parametrize("ending", ["disabled", "removed"])
async def test_a_personal_token_dies_with_its_owner(context: Context, ending: str) -> None:
    token = await access_tokens.create_personal_token(context, "ci", [Permission.LOGS_READ], owner=BEN)

    if ending == "disabled":
        await administrators.set_enabled(context, BEN, is_enabled=False)
    else:
        await administrators.remove(context, BEN)

    assert await permissions_with(context, token.secret) is None


async def test_a_service_token_ends_on_its_date_and_when_revoked(context: Context) -> None:
    token = await access_tokens.create_service_token(
        context, "hr", [Permission.SOURCES_IMPORT], expires_in=timedelta(1)
    )
    other = await access_tokens.create_service_token(context, "hr", [Permission.SOURCES_IMPORT])
    assert await permissions_with(context, token.secret) == {Permission.SOURCES_IMPORT}

    await access_tokens.revoke_token(context, other.id)
    tomorrow = token.expires_at

    assert await permissions_with(context, other.secret) is None
    assert await permissions_with(replace(context, now=lambda: tomorrow), token.secret) is None


@pytest.mark.parametrize("scope", ["administrators.write", "tokens.write", "serviceTokens.write", "nothing"])
async def test_no_token_can_make_tokens_or_administrators(context: Context, scope: str) -> None:
    with pytest.raises(LockstepError, match="is not a scope"):
        await access_tokens.create_service_token(context, "hr", [scope])


async def test_a_mistyped_token_is_unknown(context: Context) -> None:
    token = await access_tokens.create_service_token(context, "hr", [Permission.LOGS_READ])
    assert token.secret.startswith("lockstep_svc_")

    for wrong in (token.secret[:-1], token.secret.replace("svc", "pat"), token.secret.swapcase(), "", "x" * 10_000):
        assert await permissions_with(context, wrong) is None


async def test_nobody_lists_or_revokes_tokens_of_somebody_else(context: Context) -> None:
    token = await access_tokens.create_personal_token(context, "ci", [Permission.LOGS_READ], owner=BEN)
    other = replace(
        context, actor=replace(context.actor, permissions=frozenset({Permission.TOKENS_WRITE}), administrator="x")
    )

    assert await access_tokens.list_tokens(other) == []
    with pytest.raises(LockstepError, match="Unknown token"):
        await access_tokens.revoke_token(other, token.id)
