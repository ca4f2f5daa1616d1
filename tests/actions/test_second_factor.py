"""The second factor: a code works once, recovery codes replace a lost device, and neither can be guessed by parallel attempts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from lockstep.actions import administrators, second_factor, sign_in
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.permissions import StepUpRequired
from lockstep.actions.totp import SecondFactorRequired
from lockstep.credentials.one_time_codes import RECOVERY_CODES
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub

EMAIL, PASSWORD = "anna@contoso.test", "correct horse battery"
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def at(context: Context, **later: float) -> Context:
    moment = NOON + timedelta(**later)
    return replace(context, now=lambda: moment)


async def enrolled(hub: Hub) -> tuple[Context, str, pyotp.TOTP, list[str]]:
    """The context of a browser, the session, the app and the recovery codes of an administrator with a second factor, at noon."""
    context = at(replace(hub.context, actor=NOT_SIGNED_IN))
    path = await administrators.first_link(at(hub.context))
    assert path is not None
    signed_in = await sign_in.accept_invitation(context, path.rpartition("/")[2], "Anna", PASSWORD, email=EMAIL)
    new = await second_factor.begin_second_factor(context, signed_in.session_secret)
    app = pyotp.TOTP(new.seed)
    codes = await second_factor.confirm_second_factor(context, signed_in.session_secret, app.at(NOON))
    return context, signed_in.session_secret, app, codes


async def test_a_code_is_needed_and_accepted_once(hub: Hub) -> None:
    context, _, app, _ = await enrolled(hub)
    later = at(context, minutes=5)
    code = app.at(later.now())

    for _ in range(10):  # asking for the code is no failure
        with pytest.raises(SecondFactorRequired):
            await sign_in.sign_in(later, EMAIL, PASSWORD)
    await sign_in.sign_in(later, EMAIL, PASSWORD, code)

    for used in (code, app.at(NOON)):
        with pytest.raises(LockstepError, match="the password or the code is wrong"):
            await sign_in.sign_in(later, EMAIL, PASSWORD, used)


async def test_the_code_that_confirmed_the_app_does_not_sign_in(hub: Hub) -> None:
    context, _, app, _ = await enrolled(hub)

    with pytest.raises(LockstepError, match="the password or the code is wrong"):
        await sign_in.sign_in(context, EMAIL, PASSWORD, app.at(NOON))


@pytest.mark.parametrize(("seconds", "is_accepted"), [(-30, True), (30, True), (-60, False), (60, False)])
async def test_clocks_may_differ_by_half_a_minute(hub: Hub, seconds: int, is_accepted: bool) -> None:
    context, _, app, _ = await enrolled(hub)
    later = at(context, minutes=5)
    code = app.at(later.now() + timedelta(seconds=seconds))

    if is_accepted:
        await sign_in.sign_in(later, EMAIL, PASSWORD, code)
    else:
        with pytest.raises(LockstepError, match="the password or the code is wrong"):
            await sign_in.sign_in(later, EMAIL, PASSWORD, code)


async def test_each_recovery_code_works_once(hub: Hub) -> None:
    context, _, _, codes = await enrolled(hub)
    assert len(set(codes)) == RECOVERY_CODES

    await sign_in.sign_in(context, EMAIL, PASSWORD, codes[0].upper())
    with pytest.raises(LockstepError, match="the password or the code is wrong"):
        await sign_in.sign_in(context, EMAIL, PASSWORD, codes[0])
    await sign_in.sign_in(context, EMAIL, PASSWORD, codes[1].replace("-", " "))

    stored = await hub.fetch("select code_hash from recovery_code")
    assert len(stored) == RECOVERY_CODES - 2


async def test_wrong_codes_lock_like_wrong_passwords(hub: Hub) -> None:
    context, _, app, _ = await enrolled(hub)
    for _ in range(5):
        with pytest.raises(LockstepError, match="the password or the code is wrong"):
            await sign_in.sign_in(context, EMAIL, PASSWORD, "000000x")

    with pytest.raises(LockstepError) as locked:
        await sign_in.sign_in(context, EMAIL, PASSWORD, app.at(NOON + timedelta(seconds=30)))
    assert locked.value.kind is Kind.THROTTLED


async def test_the_second_factor_changes_only_soon_after_the_password(hub: Hub) -> None:
    context, session, _, _ = await enrolled(hub)

    with pytest.raises(StepUpRequired):
        await second_factor.remove_second_factor(at(context, minutes=10), session)
    with pytest.raises(LockstepError, match="already"):
        await second_factor.begin_second_factor(context, session)
    await second_factor.remove_second_factor(context, session)

    await sign_in.sign_in(context, EMAIL, PASSWORD)


async def test_the_operator_removes_the_second_factor_of_a_lost_device(hub: Hub) -> None:
    context, _, _, _ = await enrolled(hub)

    link = await administrators.reset_password(at(hub.context), EMAIL, second_factor=True)
    await sign_in.accept_invitation(context, link.path.rpartition("/")[2], "", PASSWORD)

    await sign_in.sign_in(context, EMAIL, PASSWORD)
    assert await hub.fetch("select 1 from recovery_code") == []
