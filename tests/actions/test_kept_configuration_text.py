"""The configuration as text: what has not changed is not read and written again, and every change shows."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import pytest

from lockstep.actions import (
    applications,
    assignments,
    configuration_export,
    configuration_state,
    groups,
    sources,
)
from lockstep.actions.configuration_export import export_application, export_everything
from lockstep.actions.configuration_state import provisioning_spec
from lockstep.postgres.pool import Connection
from lockstep.storage import assignments as store
from lockstep.storage.assignments import AssignmentRow, assignments_of_applications
from tests.support.hub import Hub, person, write_csv
from tests.support.statements import counted_statements

# A change of something that an exported application names, as SQL if no single action makes it.
CHANGES = {
    "a person gets another name": """update person set user_principal_name = 'anna2@contoso.test'
        where starts_with(user_principal_name, 'ann')""",
    "a person is deleted": "update person set deleted_at = now() where starts_with(user_principal_name, 'ann')",
    "a group gets another name": "update grp set display_name = 'Sellers' where display_name = 'Sales'",
    "a second group has the name of an assigned one": """insert into grp (id, source, anchor, display_name, attributes)
        values (gen_random_uuid(), 'hr', 'x', 'Sales', '{}')""",
    "a group is deleted": "update grp set deleted_at = now() where display_name = 'Sales'",
    "a role gets another value": "update app_role set value = 'Writer' where value = 'Member'",
    "an assignment is removed": "delete from assignment where principal_kind = 'User'",
    "an application is renamed": "update application set display_name = 'Papers' where name = 'documo'",
    "the tenant URL changes": "update credential set tenant_url = 'https://other.test/scim'",
    "provisioning is switched on": "update job set status = 'on'",
    "the provisioning configuration gets a new version": """with made as (
            insert into config_version (job, version, config, author)
            select job, version + 1, config || '{"notificationEmail": "ops@contoso.test"}', 'anna' from config_version)
        update job set config_version = config_version + 1""",
}


@pytest.fixture
async def filled(hub: Hub, tmp_path: Path) -> Hub:
    """One application, to which Anna and the group Sales are assigned."""
    file = write_csv(tmp_path / "people.csv", [person("anna"), person("bo")])
    await sources.import_file(hub.context, "hr", {"files": [{"path": str(file)}]}, is_kept=True)
    await groups.create_group(hub.context, "Sales")
    await applications.add_application(hub.context, "documo")
    await assignments.assign(hub.context, "documo", users=["anna@contoso.test"], role="Member")
    await assignments.assign(hub.context, "documo", groups=["Sales"], role="Member")
    await hub.fetch(
        """insert into credential (app, tenant_url, authentication) select id, 'https://one.test/scim', 'bearer' from application
        on conflict do nothing returning app"""
    )
    return hub


@pytest.mark.parametrize("change", CHANGES)
async def test_the_text_of_the_configuration_shows_every_change(
    filled: Hub, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    before = await export_everything(filled.context)

    await filled.fetch(f"{CHANGES[change]} returning 1")
    after, alone = await export_everything(filled.context), await export_application(filled.context, "documo")
    for module in (configuration_export, configuration_state):
        monkeypatch.setattr(module, "MOST_KEPT", 0)
    await export_everything(filled.context)  # forgets what was kept

    assert after == await export_everything(filled.context)
    assert alone == await export_application(filled.context, "documo")
    assert after != before


async def test_assignments_that_have_not_changed_are_not_read_again(filled: Hub) -> None:
    async with filled.pool.connection() as connection:
        with counted_statements() as sent:
            await assignments_of_applications(connection, [])
    (listing,) = sent

    with counted_statements() as first:
        text = await export_everything(filled.context)
    with counted_statements() as second:
        again = await export_everything(filled.context)
    await assignments.assign(filled.context, "documo", users=["bo@contoso.test"])
    with counted_statements() as third:
        more = await export_everything(filled.context)

    assert [listing in one for one in (first, second, third)] == [True, False, True]
    assert again == text and "bo@contoso.test" not in text and "bo@contoso.test" in more


async def test_an_assignment_that_is_made_during_the_read_is_not_kept_for_the_state_before_it(
    filled: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(connection: Connection, apps: Sequence[str]) -> list[AssignmentRow]:
        await assignments.assign(filled.context, "documo", users=["bo@contoso.test"])
        return await assignments_of_applications(connection, apps)

    with monkeypatch.context() as patched:
        patched.setattr(store, "assignments_of_applications", late)
        during = await export_everything(filled.context)
    await assignments.unassign(filled.context, "documo", users=["bo@contoso.test"])

    assert "bo@contoso.test" in during
    assert "bo@contoso.test" not in await export_everything(filled.context)


async def test_a_caller_that_changes_a_provisioning_spec_does_not_change_the_next_one(filled: Hub) -> None:
    [(config,)] = await filled.fetch("select config from config_version")
    assert isinstance(config, dict)
    first = provisioning_spec(config, status="off")
    untouched = deepcopy(first)

    first["mappings"].clear()

    assert provisioning_spec(config, status="off") == untouched
