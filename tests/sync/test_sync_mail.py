"""Which events of an application write a mail, how often, and what it says."""

from __future__ import annotations

import pytest

from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage.mail_server import MailServerRow, save_server
from lockstep.storage.webhook import WebhookRow, save_webhook
from lockstep.sync.notification_texts import without_names
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import CONFIG, World, upn

WANTED = {"notificationEmail": "it@contoso.test", "emailOnFailure": True}
UNAUTHORIZED = answered(Verdict.UNAUTHORIZED, status=401, code="Unauthorized", detail="Documo refused the credentials")
REFUSED = answered(
    Verdict.REFUSED, status=400, code="Bad", detail=f'The user {upn(1)} has no department "Sales"', next_step="Give one"
)


@pytest.fixture(autouse=True)
async def mail_world(world: World) -> None:
    await world.configure({**CONFIG, **WANTED})
    async with transaction(world.pool) as connection:
        await save_server(connection, MailServerRow("mail.test", 25, "none", "l@contoso.test"), actor="test")


async def mails(world: World) -> list[str]:
    return [row[0] for row in await world.rows("select kind from outgoing_mail order by written_at, kind")]


async def body(world: World) -> str:
    return str(await world.value("select body_text from outgoing_mail order by written_at desc limit 1"))


def refuse(verb: str, key: str) -> Answer | None:
    return REFUSED if verb == "create" else None


async def age(world: World, hours: int) -> None:
    await world.rows(f"update outgoing_mail set written_at = written_at - interval '{hours} hours' returning 1")
    await world.rows("update dirty set not_before = now() returning 1")


async def fail_for_an_hour(world: World) -> None:
    await world.rows("update dirty set first_failed_at = now() - interval '61 minutes', not_before = now() returning 1")
    await world.drain()


async def test_quarantine_mails_once_when_it_begins_and_once_when_it_ends(world: World, target: ModelTarget) -> None:
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()
    for _ in range(2):
        await let_quarantine_be_tried(world)
    assert await mails(world) == ["quarantine"]
    assert "Documo refused the credentials" in await body(world)

    target.before = lambda verb, key: None
    await let_quarantine_be_tried(world)

    assert await mails(world) == ["quarantine", "quarantineEnded"]


async def let_quarantine_be_tried(world: World) -> None:
    await world.rows("update job set quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now())) returning 1")
    await world.drain()


async def test_quarantine_that_flaps_mails_once_an_hour_and_says_how_often_it_happened(
    world: World, target: ModelTarget
) -> None:
    await world.add_people([0])
    await world.sync()
    for number in range(1, 5):
        target.before = lambda verb, key: UNAUTHORIZED
        await world.add_people([number])
        await world.drain()
        target.before = lambda verb, key: None
        await let_quarantine_be_tried(world)
    assert await mails(world) == ["quarantine", "quarantineEnded"]

    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people([9])
    await world.drain()

    [(is_held_back, text)] = await world.rows(
        "select due_at > now() + interval '55 minutes', body_text from outgoing_mail where state = 'waiting' and due_at > now()"
    )
    assert is_held_back
    assert "Since the last mail, it was in quarantine 3 more times" in str(text)
    assert await mails(world) == ["quarantine", "quarantineEnded", "quarantine"]


async def audiences(world: World) -> list[tuple[str, str, str]]:
    return [
        (str(kind), str(audience), str(to))
        for kind, audience, to in await world.rows(
            "select kind, audience, recipient from outgoing_mail order by written_at, audience, recipient"
        )
    ]


async def notify_organisation(world: World, notifications: str) -> None:
    await world.rows(
        f"update instance set settings = jsonb_set(settings, '{{notifications}}', '{notifications}') returning 1"
    )


async def test_each_address_of_the_organisation_and_the_webhook_get_a_message_of_their_own(
    world: World, target: ModelTarget
) -> None:
    await notify_organisation(world, '{"email": ["a@contoso.test", "b@contoso.test"]}')
    async with transaction(world.pool) as connection:
        await save_webhook(connection, WebhookRow("https://hooks.test:443", b"sealed"), actor="test")
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()
    for _ in range(2):
        await let_quarantine_be_tried(world)

    assert await audiences(world) == [
        ("quarantine", "application", "it@contoso.test"),
        ("quarantine", "organisation", "a@contoso.test"),
        ("quarantine", "organisation", "b@contoso.test"),
        ("quarantine", "webhook", "https://hooks.test:443"),
    ]


async def test_the_organisation_gets_only_the_events_that_it_asked_for(world: World, target: ModelTarget) -> None:
    await notify_organisation(world, '{"email": ["a@contoso.test"], "on": ["recovered"]}')
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()

    assert await audiences(world) == [("quarantine", "application", "it@contoso.test")]


async def test_an_application_without_an_address_is_reported_to_the_webhook_without_a_mail_server(
    world: World, target: ModelTarget
) -> None:
    await world.configure(CONFIG)
    await world.rows("delete from mail_server returning 1")
    async with transaction(world.pool) as connection:
        await save_webhook(connection, WebhookRow("https://hooks.test:443", b"sealed"), actor="test")
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()
    target.before = lambda verb, key: None
    await let_quarantine_be_tried(world)

    assert await audiences(world) == [
        ("quarantine", "webhook", "https://hooks.test:443"),
        ("quarantineEnded", "webhook", "https://hooks.test:443"),
    ]


@pytest.mark.parametrize("change", [{"emailOnFailure": False}, {"notificationEmail": ""}])
async def test_nothing_is_written_unless_it_is_wanted(world: World, target: ModelTarget, change: object) -> None:
    assert isinstance(change, dict)
    await world.configure({**CONFIG, **WANTED, **change})
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()

    assert await mails(world) == []


async def test_nothing_is_written_without_a_mail_server(world: World, target: ModelTarget) -> None:
    await world.rows("delete from mail_server returning 1")
    target.before = lambda verb, key: UNAUTHORIZED
    await world.add_people(range(2))
    await world.sync()

    assert await mails(world) == []


async def test_failures_mail_after_an_hour_and_then_at_most_daily_and_only_if_something_is_new(
    world: World, target: ModelTarget
) -> None:
    target.before = refuse
    await world.add_people(range(2))
    await world.sync()
    assert await mails(world) == []  # an object that has just failed may succeed soon

    await fail_for_an_hour(world)
    assert await mails(world) == ["failures"]

    await world.add_people([3])
    await world.drain()
    await fail_for_an_hour(world)
    assert await mails(world) == ["failures"]  # one a day

    await age(world, 25)
    await fail_for_an_hour(world)
    assert await mails(world) == ["failures", "failures"]  # a third object fails

    await age(world, 25)
    await fail_for_an_hour(world)
    assert len(await mails(world)) == 2  # nothing is new

    await age(world, 24 * 7)
    await fail_for_an_hour(world)
    assert len(await mails(world)) == 3  # a week has passed


async def test_mail_about_failures_has_numbers_and_reasons_but_no_people(world: World, target: ModelTarget) -> None:
    target.before = refuse
    await world.add_people([1, 2])
    await world.sync()
    await fail_for_an_hour(world)

    text = await body(world)
    assert text.startswith("2 objects could not be provisioned")
    assert "2 objects: The user … has no department …" in text
    assert "Next: Give one." in text
    assert upn(1) not in text and "Sur1" not in text


async def test_held_deletions_mail_once_after_the_cycle(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, **WANTED, "deletions": {"threshold": 2}})
    await world.add_people(range(6))
    await world.sync()
    await world.unassign(range(5))
    await world.drain()

    assert await mails(world) == ["held"]
    assert "would disable or delete an account" in await body(world)
    await world.change([5], surname="Renamed")
    await world.drain()
    assert await mails(world) == ["held"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('userName "anna@x.test" is taken', "userName … is taken"), ("See: lockstep explain anna@x.test", "See: lockstep explain …"),
        ("Anna Berg\nis unknown", "… is unknown"), ("x" * 400, "x" * 299 + "…"),
    ],
)  # fmt: skip
def test_reasons_lose_the_values_of_people(text: str, shown: str) -> None:
    assert without_names(text, ["Anna Berg"]) == shown
