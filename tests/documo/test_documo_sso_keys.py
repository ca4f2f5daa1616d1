"""An account's own key of single sign-on is rolled without interrupting sign-in, whoever does it and whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

import psycopg
import pytest

from documo.access.sso import own_keys, providers
from documo.access.sso.own_keys import KeyState, OwnKey
from documo.access.sso.service import metadata_address
from documo.accounts import create_account
from documo.store import sso_keys as table
from documo.store.sso_keys import SignOnKeyRow
from lockstep.errors import LockstepError
from lockstep.postgres.database import Database
from lockstep.postgres.migrate import Revisions, _upgrade, migrate, revisions_of
from lockstep.saml.certificates import SigningKey, new_signing_key
from lockstep.saml.faults import SamlFault
from lockstep.saml.metadata import SpMetadata, read_sp_metadata
from tests.documo.test_documo_sso import ANNA, ask, bring, last_sign_in, refused, setup
from tests.support.documo_client import Client
from tests.support.documo_pages import Visitor, signed_in, visiting
from tests.support.reused_databases import ReusedDatabase
from tests.support.saml_provider import LOGOUT_URL, Provider, key_named, logout_on

HERE = "/settings/security/certificates"
DOCUMO = Path(sys.executable).parent / "documo"


@pytest.fixture
async def provider(api: Client) -> Provider:
    made = Provider(api.url.removesuffix("/scim/v2"))
    wanted = setup(made, requests_signed=True, logout_url=LOGOUT_URL)
    await providers.set_up(api.store, api.account.id, wanted)
    return made


async def states(api: Client) -> list[KeyState]:
    return [key.state for key in await own_keys.find_own_keys(api.store, api.account.id)]


async def rolled(api: Client) -> tuple[OwnKey, OwnKey]:
    """The old key, which retires, and the new one, which is active."""
    (old,) = await own_keys.own_keys(api.store, api.account.id)
    new = await own_keys.prepare_key(api.store, api.account.id)
    await own_keys.activate_key(api.store, api.account.id, new.thumbprint)
    return old, new


async def metadata_of(api: Client, visitor: Visitor) -> SpMetadata:
    return read_sp_metadata((await visitor.get(await metadata_address(api.store, api.account.id, "")))[1].encode())


def signs(provider: Provider, page: str, key: OwnKey) -> bool:
    try:
        provider.asked_on(page, certificates=[key.signing.certificate])
    except SamlFault:
        return False
    return True


async def test_requests_are_signed_with_the_active_key_alone(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    (old,) = await own_keys.own_keys(api.store, api.account.id)
    new = await own_keys.prepare_key(api.store, api.account.id)
    async with visiting(api) as anna:
        page = await ask(anna)
        assert (signs(provider, page, old), signs(provider, page, new)) == (True, False)

        await own_keys.activate_key(api.store, api.account.id, new.thumbprint)
        page = await ask(anna)
        assert (signs(provider, page, old), signs(provider, page, new)) == (False, True)

        await bring(anna, provider.response(ANNA, asked=provider.asked_on(page)))
        _, page = await anna.post("/sign-out", on="/own-account")
        assert logout_on(page, certificates=[new.signing.certificate]).signed


async def test_metadata_has_both_certificates_until_one_is_removed_and_encrypts_to_the_active_one(
    api: Client, provider: Provider
) -> None:
    (old,) = await own_keys.own_keys(api.store, api.account.id)
    new = await own_keys.prepare_key(api.store, api.account.id)
    async with visiting(api) as visitor:
        seen = [await metadata_of(api, visitor)]
        await own_keys.activate_key(api.store, api.account.id, new.thumbprint)
        seen.append(await metadata_of(api, visitor))
        await own_keys.remove_key(api.store, api.account.id, old.thumbprint)
        seen.append(await metadata_of(api, visitor))

    both, one = {old.thumbprint, new.thumbprint}, {new.thumbprint}
    assert [{each.thumbprint for each in said.signing_certificates} for said in seen] == [both, both, one]
    encrypts = [[each.thumbprint for each in said.encryption_certificates] for said in seen]
    assert encrypts == [[old.thumbprint], [new.thumbprint], [new.thumbprint]]


async def test_assertion_encrypted_to_the_old_key_is_accepted_until_that_key_is_removed(
    api: Client, provider: Provider
) -> None:
    await api.user(ANNA)
    old, new = await rolled(api)
    for key in (old, new):
        async with visiting(api) as anna:
            form = provider.response(ANNA, encrypt_to=key.signing.certificate)
            assert (await bring(anna, form))[2] == "/"

    await own_keys.remove_key(api.store, api.account.id, old.thumbprint)
    async with visiting(api) as anna:
        assert await refused(anna, provider.response(ANNA, encrypt_to=old.signing.certificate))
        assert (await bring(anna, provider.response(ANNA, encrypt_to=new.signing.certificate)))[2] == "/"
    assert await states(api) == [KeyState.ACTIVE]


async def test_refused_decryption_tells_the_admin_that_the_provider_may_use_a_removed_certificate(
    api: Client, provider: Provider
) -> None:
    await api.user(ANNA)
    old, _ = await rolled(api)
    await own_keys.remove_key(api.store, api.account.id, old.thumbprint)
    async with visiting(api) as anna:
        asked = provider.asked_on(await ask(anna))
        form = provider.response(ANNA, asked=asked, encrypt_to=old.signing.certificate)
        _, page, _ = await bring(anna, form)
    assert "Ask your administrator" in page and "Certificates" not in page
    assert "/settings/security/certificates" in await last_sign_in(api)


async def test_making_the_old_key_active_again_takes_the_roll_back(api: Client) -> None:
    old, new = await rolled(api)
    await own_keys.activate_key(api.store, api.account.id, old.thumbprint)

    kept = await own_keys.find_own_keys(api.store, api.account.id)
    assert [(key.thumbprint, key.state) for key in kept] == [
        (old.thumbprint, KeyState.ACTIVE),
        (new.thumbprint, KeyState.NEXT),
    ]


async def test_two_admins_who_roll_at_once_prepare_one_key_and_activate_it_once(api: Client) -> None:
    await own_keys.own_keys(api.store, api.account.id)
    made = await asyncio.gather(
        *(own_keys.prepare_key(api.store, api.account.id) for _ in range(4)), return_exceptions=True
    )
    (new,) = [one for one in made if isinstance(one, OwnKey)]
    assert all(isinstance(one, OwnKey | LockstepError) for one in made)
    assert await states(api) == [KeyState.ACTIVE, KeyState.NEXT]

    ended = await asyncio.gather(
        *(own_keys.activate_key(api.store, api.account.id, new.thumbprint) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, OwnKey) for one in ended) == 1
    assert all(isinstance(one, OwnKey | LockstepError) for one in ended)
    kept = await own_keys.find_own_keys(api.store, api.account.id)
    assert [(key.state, key.thumbprint == new.thumbprint) for key in kept] == [
        (KeyState.ACTIVE, True),
        (KeyState.RETIRING, False),
    ]


async def test_first_sign_ins_at_once_share_one_key(api: Client) -> None:
    made = await asyncio.gather(*(own_keys.own_keys(api.store, api.account.id) for _ in range(4)))

    assert len({key.thumbprint for keys in made for key in keys}) == 1


async def test_process_that_is_killed_while_it_rolls_leaves_the_keys_as_they_were(
    api: Client, reused_documo_database: ReusedDatabase, data_folder: Path
) -> None:
    (old,) = await own_keys.own_keys(api.store, api.account.id)
    new = await own_keys.prepare_key(api.store, api.account.id)
    environment = {**os.environ, "DOCUMO_DATABASE_URL": reused_documo_database.database.conninfo}
    command = ("sso", "keys", "activate", new.thumbprint, "--yes", "--data", str(data_folder))
    async with api.store.tenant(api.account.id) as connection:
        await table.read_keys_alone(connection, api.account.id)  # the process waits for this transaction
        process = await asyncio.create_subprocess_exec(DOCUMO, *command, env=environment)
        async with asyncio.timeout(30):
            while not await _waits(api):
                assert process.returncode is None
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    assert [(key.thumbprint, key.state) for key in await own_keys.find_own_keys(api.store, api.account.id)] == [
        (old.thumbprint, KeyState.ACTIVE),
        (new.thumbprint, KeyState.NEXT),
    ]
    assert (await own_keys.activate_key(api.store, api.account.id, new.thumbprint)).is_active


async def _waits(api: Client) -> bool:
    async with api.store.control() as connection:
        found = await connection.execute("select 1 from pg_locks where locktype = 'advisory' and not granted")
        return await found.fetchone() is not None


async def test_admin_rolls_the_key_on_the_page_and_names_the_account_before_one_is_removed(
    api: Client, provider: Provider
) -> None:
    async with signed_in(api) as ada:
        (old,) = await own_keys.own_keys(api.store, api.account.id)
        assert "prepared" in (await ada.post(HERE, on=HERE))[1]
        status, page = await ada.post(HERE, on=HERE)
        assert (status, "already prepared" in page) == (409, True)
        new = (await own_keys.find_own_keys(api.store, api.account.id))[1]
        assert "now signs" in (await ada.post(f"{HERE}/activate", on=HERE, thumbprint=new.thumbprint))[1]
        for thumbprint, confirmation in ((old.thumbprint, "yes"), (new.thumbprint, "Contoso")):
            status, _ = await ada.post(f"{HERE}/remove", on=HERE, thumbprint=thumbprint, confirmation=confirmation)
            assert (status, len(await states(api))) == (409, 2)
        await ada.post(f"{HERE}/remove", on=HERE, thumbprint=old.thumbprint, confirmation="Contoso")
        status, pem = await ada.get(f"{HERE}/{new.thumbprint}/download")

    assert await states(api) == [KeyState.ACTIVE]
    assert (status, pem) == (200, new.signing.certificate.pem)


async def test_account_cannot_name_the_key_of_another(api: Client) -> None:
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    await own_keys.own_keys(api.store, other.id)
    theirs = await own_keys.prepare_key(api.store, other.id)
    async with signed_in(api) as ada:
        for path in ("activate", "remove"):
            fields = {"thumbprint": theirs.thumbprint, "confirmation": "Contoso"}
            assert (await ada.post(f"{HERE}/{path}", on=HERE, **fields))[0] == 404
        assert (await ada.get(f"{HERE}/{theirs.thumbprint}/download"))[0] == 404
    kept = [key.state for key in await own_keys.find_own_keys(api.store, other.id)]
    assert kept == [KeyState.ACTIVE, KeyState.NEXT]


@pytest.mark.parametrize(("days", "says"), [(31, ""), (29, "expires soon"), (-1, "has expired")])
async def test_security_warns_thirty_days_before_the_active_certificate_expires(
    api: Client, provider: Provider, days: int, says: str
) -> None:
    await _replace(api, ending_in(days))
    async with signed_in(api) as ada:
        for page in ("/settings/security", HERE):
            shown = (await ada.get(page))[1]
            assert [text for text in ("expires soon", "has expired") if text in shown] == ([says] if says else [])


def ending_in(days: int) -> SigningKey:
    return new_signing_key("ends", now=datetime.now(UTC) - timedelta(days=365 - days), years=1)


async def _replace(api: Client, key: SigningKey) -> None:
    made = key.certificate
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute("delete from sso_keys")
        row = SignOnKeyRow(made.thumbprint, "active", made.pem, key.private_pem, made.not_after)
        await table.insert_key(connection, api.account.id, row)


async def test_key_of_an_older_version_becomes_the_active_one(database: Database, tmp_path: Path) -> None:
    """The whole upgrade, of a database that an older program left with keys of two accounts."""
    older = {name: key_named(name) for name in ("first", "second")}
    whole = revisions_of("documo.migrations")
    numbers = tuple(one for one in whole.numbers if one <= "0016")
    for file in whole.folder.glob("[0-9]*"):
        if file.name[:4] in numbers:
            copy(file, tmp_path)
    _upgrade(database, Revisions(tmp_path, numbers))
    with psycopg.connect(database.conninfo) as connection:
        for name, key in older.items():
            row = connection.execute("insert into accounts (name) values (%s) returning id", (name,)).fetchone()
            assert row is not None
            connection.execute(
                "insert into sso_keys values (%s, %s, %s)", (row[0], key.certificate.pem, f"key of {name}")
            )

    assert await migrate(database, "documo.migrations")

    with psycopg.connect(database.conninfo) as connection:
        found = connection.execute(
            """select name, thumbprint, expires_at, state, certificate, private_key from sso_keys
            join accounts on accounts.id = tenant_id order by tenant_id"""
        ).fetchall()
    assert found == [
        (name, key.certificate.thumbprint, key.certificate.not_after, "active", key.certificate.pem, f"key of {name}")
        for name, key in older.items()
    ]
