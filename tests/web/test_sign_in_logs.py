"""The sign-in log and the sign-in of one person, as administrators see them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lockstep.actions import applications, sources
from lockstep.actions.permissions import Role
from lockstep.storage import sign_in_log
from lockstep.storage.sign_in_log import SignInRecord
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import Hub, guid, person, upn, write_csv
from tests.support.ldap_peer import ldap_peer

AT = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


@pytest.fixture
async def logged(hub: Hub, tmp_path: Path) -> Hub:
    """Two people; Anna signed in to Documo, and somebody guessed a name."""
    rows = [person("anna"), person("ben")]
    await sources.import_file(
        hub.context, "hr", {"files": [{"path": str(write_csv(tmp_path / "people.csv", rows))}]}, is_kept=True
    )
    await applications.add_application(hub.context, "documo", name="documo")
    app = (await applications.show_application(hub.context, "documo")).application
    records = [
        SignInRecord(AT, "failure", "UnknownPerson", address="198.51.100.9", device="<script>alert(1)</script>"),
        SignInRecord(AT, "success", person=guid("anna"), person_display=upn("anna"), app=app.id, app_display="Documo",
                     address="192.0.2.7", methods=["password", "code"], protocol="saml"),
    ]  # fmt: skip
    async with hub.pool.connection() as connection:
        for record in records:
            await sign_in_log.append(connection, record)
    return hub


async def test_list_shows_who_where_how_and_why_not(logged: Hub, admin: Browser) -> None:
    page = await admin.get("/logs/sign-ins")

    assert f"{upn('anna')} Documo Success 192.0.2.7 Password, authenticator app" in page.text
    assert "An unknown name My Apps Failure No person in the directory has the entered name" in page.text
    [failure] = [
        link
        for link in (await admin.get("/logs/sign-ins?status=failure")).links
        if link.count("/") == 3 and "sign-ins/" in link
    ]
    shown = await admin.get(failure)
    assert "<script>alert(1)</script>" in shown.text
    assert "<script>alert" not in shown.html


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("app=documo", 1),
        ("user=ANNA", 1),
        ("user=zoe", 0),
        ("code=UnknownPerson", 1),
        ("address=192.0", 1),
        ("range=1h", 0),
    ],
)
async def test_filters_stand_in_the_address(logged: Hub, admin: Browser, query: str, count: int) -> None:
    page = await admin.get(f"/logs/sign-ins?{query}")

    assert page.html.count("<tr>") - 1 == max(count, -1) or (
        count == 0 and "No sign-in matches this filter" in page.text
    )


async def test_downloads_have_every_record_and_no_formula(logged: Hub, admin: Browser) -> None:
    await logged.fetch("update sign_in_log set device = '=1+1'")

    lines = (await admin.get("/logs/sign-ins/download/SignInLogs.csv")).html.splitlines()

    assert len(lines) == 3
    assert all(",'=1+1," in line for line in lines[1:])


async def test_owner_sees_sign_ins_to_the_own_applications_alone(logged: Hub, centre: Centre) -> None:
    other = await applications.add_application(logged.context, "documo", name="other")
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=other.id)

    assert upn("anna") not in (await owner.get("/logs/sign-ins")).text


async def test_sign_ins_stand_on_the_timeline_of_the_person(logged: Hub, admin: Browser) -> None:
    page = await admin.get(f"/users/{guid('anna')}?only=sign-ins")

    assert "Signed in to Documo" in page.text
    assert "from 192.0.2.7" in page.text
    assert "Added" not in page.text.partition("Timeline")[2]


async def test_link_is_shown_once_to_those_who_may_make_one(logged: Hub, centre: Centre, admin: Browser) -> None:
    here = f"/users/{guid('anna')}/sign-in"
    assert "Create sign-in link" in (await admin.get(here)).text
    made = await admin.post(f"{here}/link")
    assert "/myapps/link/" in made.text

    auditor = await centre.signed_in(Role.AUDITOR)
    assert "Create sign-in link" not in (await auditor.get(here)).text
    assert (await auditor.post(f"{here}/link")).status == 403


async def test_setting_is_changed_by_those_who_may_and_not_to_a_provider_that_is_not_set_up(
    hub: Hub, centre: Centre, admin: Browser
) -> None:
    await admin.get("/settings/people-sign-in")
    refused = await admin.post("/settings/people-sign-in", {"provider": "on", "contact": "the help desk"})
    assert "No identity provider is set up" in refused.text
    assert 'value="the help desk"' in refused.html
    saved = await admin.post(
        "/settings/people-sign-in", {"password": "on", "second_factor": "on", "contact": "the help desk"}
    )
    assert saved.status == 303

    auditor = await centre.signed_in(Role.AUDITOR)
    assert "Required" in (await auditor.get("/settings/people-sign-in")).text
    assert (await auditor.post("/settings/people-sign-in", {"password": "on"})).status == 403


async def test_ldap_directory_is_tested_before_it_is_saved_and_its_password_is_never_shown(
    centre: Centre, admin: Browser
) -> None:
    here, reader = "/settings/people-sign-in", "cn=reader,dc=contoso"
    assert centre.context.http is not None
    centre.context.http().rules.allow(["127.0.0.1/32"])
    async with ldap_peer() as peer:
        peer.passwords[reader] = "reads-only-names"
        typed = {"url": peer.url, "base_dn": "dc=contoso", "bind_dn": reader, "attribute": "mail", "ca": ""}
        wrong = await admin.post(f"{here}/ldap", {**typed, "ldap_password": "wrong"})
        early = await admin.post(here, {"ldap": "on"})
        saved = await admin.post(f"{here}/ldap", {**typed, "ldap_password": "reads-only-names"})
        on = await admin.post(here, {"ldap": "on", "password": "on"})
        page = await admin.get(here)

    assert (wrong.status, early.status, saved.status, on.status) == (400, 400, 303, 303)
    assert "sent no usable response" in wrong.text and f'value="{reader}"' in wrong.html
    assert "No LDAP directory is set up" in early.text
    assert f'value="{reader}"' in page.html and "reads-only-names" not in page.html
    assert (await admin.post(f"{here}/ldap/remove", {})).status == 303
    assert "LDAP" in (await admin.get(here)).text
