"""Which secrets are stored, without their values: the page, the API and the command for auditors."""

from __future__ import annotations

from datetime import UTC, datetime

import lxml.html
import pytest

from lockstep.actions import applications, credentials, mail_server, stored_secrets
from lockstep.actions.mail_server import MailServerChange
from lockstep.actions.permissions import Permission, Role, permissions_of
from lockstep.actions.single_sign_on import certificates
from lockstep.mail.delivery import MailSecurity
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, Centre

HERE = "/settings/secrets"
TOKEN, PASSWORD = "dk_live_" + "s" * 40, "correct horse battery"
FORMER_KEY = b"\x01formerid"
A_SIGNING_KEY = """
insert into openid_key (kid, public_key, private_key, state, created_at, published_at, created_by)
    values ('k', '{}', '\\x01', 'active', now(), now(), 'anna');
"""
A_SECRET_OF_EACH_KIND = f"""{A_SIGNING_KEY}
update credential set secret = '\\x01', authentication = word from application
    join (values ('one', 'bearer'), ('two', 'oauth2ClientCredentials'), ('three', 'basic')) as kind (app, word) on app = name
    where credential.app = application.id;
insert into signing_certificate (app, thumbprint, certificate, private_key, not_before, not_after, is_active, created_by)
    select id, 'aa', '', '\\x01', now(), now(), true, 'anna' from application where name = 'one';
insert into client_secret (app, secret_hash, hint, created_at, created_by, expires_at)
    select id, '\\x01', 'abc', now(), 'anna', now() from application where name = 'one';
insert into single_sign_on (name, issuer, client_id, secret, scopes, roles_claim, trusts_email, changed_at, changed_by)
    values ('Okta', 'https://okta.test', 'id', '\\x01', '{{openid}}', 'groups', false, now(), 'anna');
insert into ldap_directory (url, base_dn, attribute, bind_dn, secret) values ('ldaps://dc.test', '', 'mail', '', '\\x01');
insert into mail_server (host, port, security, sender, secret, changed_by)
    values ('mail.test', 465, 'tls', 'l@contoso.test', '\\x01', 'anna');
insert into webhook (origin, address, secret, changed_by) values ('https://hook.test', '\\x01', '\\x01', 'anna');
"""


@pytest.fixture
async def stored(centre: Centre) -> Centre:
    """A Secret Token of Documo, its signing certificate, and the password of the mail server."""
    context = centre.hub.context
    await applications.add_application(context, "documo")
    await credentials.set_credentials(
        context, "documo", tenant_url="https://api.documo.com/scim/v2", secret_token=Secret(TOKEN)
    )
    await certificates.add_certificate(context, "documo")
    change = MailServerChange("mail.test", "l@contoso.test", MailSecurity.TLS, user="lockstep")
    await mail_server.set_mail_server(context, change, password=Secret(PASSWORD))
    return centre


async def have_former_key(centre: Centre, table: str, column: str) -> None:
    """Give the envelopes of a column the id of a former key."""
    await centre.hub.fetch(f"update {table} set {column} = overlay({column} placing %s from 1)", FORMER_KEY)


async def test_each_secret_is_listed_with_its_owner_and_without_its_value(stored: Centre, admin: Browser) -> None:
    page = await admin.get(HERE)
    found = await stored_secrets.list_secrets(stored.hub.context)

    assert [(one.kind, one.owner, one.hint) for one in found.secrets if one.kind != "samlSigningKey"] == [
        ("secretToken", "Documo", TOKEN[-4:]),
        ("mailPassword", "mail.test", ""),
    ]
    assert all(one.set_at and one.set_at <= datetime.now(UTC) and one.set_by for one in found.secrets)
    assert "Secret Token" in page.text and "SAML signing key" in page.text and "Mail password" in page.text
    assert TOKEN not in page.html and PASSWORD not in page.html and TOKEN[:-4] not in page.html


async def test_each_secret_leads_to_the_page_where_it_is_replaced(stored: Centre, admin: Browser) -> None:
    links = (await admin.get(HERE)).links

    for place in ("/apps/documo/provisioning/settings#credentials", "/apps/documo/sso/certificates", "/settings/mail"):
        assert place in links
        assert (await admin.get(place.partition("#")[0])).status == 200


async def test_expiry_of_secrets_of_other_systems_is_not_called_never(stored: Centre, admin: Browser) -> None:
    async with stored.hub.pool.connection() as connection:
        await connection.execute(A_SIGNING_KEY)
    table = lxml.html.document_fromstring((await admin.get(HERE)).html).xpath('//div[@aria-label="Secrets"]/table')[0]
    rows = {row[0].text_content(): row[-1].text_content() for row in table.xpath("./tbody/tr")}

    assert (rows["Secret Token"], rows["Mail password"], rows["OpenID Connect signing key"]) == (
        "Not known", "Not known", "Never",
    )  # fmt: skip


async def test_values_that_need_a_former_key_are_counted_and_marked(stored: Centre, admin: Browser) -> None:
    before = await stored_secrets.list_secrets(stored.hub.context)
    await have_former_key(stored, "mail_server", "secret")

    after = await stored_secrets.list_secrets(stored.hub.context)
    page = await admin.get(HERE)

    assert (before.encrypted, before.with_former_key) == (3, 0)
    assert (after.encrypted, after.with_former_key) == (3, 1)
    assert [one.kind for one in after.secrets if one.has_former_key] == ["mailPassword"]
    assert "1 value of 3 still needs a former key" in page.text and "lockstep key rotate" in page.text


@pytest.mark.parametrize("role", [one for one in Role if one is not Role.APPLICATION_OWNER])
async def test_only_those_who_may_read_the_audit_log_see_which_secrets_are_stored(stored: Centre, role: Role) -> None:
    visitor = await stored.signed_in(role)

    assert (await visitor.get(HERE)).status == (200 if Permission.AUDIT_READ in permissions_of([role]) else 403)


async def test_secrets_of_every_kind_are_listed_and_every_sealed_column_of_theirs_is_counted(centre: Centre) -> None:
    context = centre.hub.context
    for name in ("one", "two", "three"):
        await applications.add_application(context, "documo", name=name)
    async with context.pool.connection() as connection:
        await connection.execute(A_SECRET_OF_EACH_KIND)

    found = await stored_secrets.list_secrets(context)

    assert sorted(one.kind for one in found.secrets) == sorted(stored_secrets.KINDS)
    assert {one.kind for one in found.secrets if one.is_hashed} == {"openidClientSecret"}
    assert found.encrypted == len(stored_secrets.KINDS) - 1
