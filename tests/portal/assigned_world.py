"""Applications that are assigned in every way, for the tests of who may open them and which claims they get."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lockstep.actions import applications, assignments, groups, people, roles, settings
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in import opening
from lockstep.actions.person_sign_in.my_apps import my_apps
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import PASSWORD, begin_session
from lockstep.actions.saml_sign_in import answering
from lockstep.actions.single_sign_on import settings as sign_on
from lockstep.errors import LockstepError
from lockstep.storage import person_credentials
from lockstep.targets.opener import ScimTargets
from tests.support.hub import Hub, upn

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HERE, ORIGIN = Visitor("a browser", "192.0.2.9"), "https://id.contoso.test"
SAML: dict[str, Any] = {
    "mode": "saml",
    "identifiers": ["x:"],
    "replyUrls": ["https://docs.test/acs"],
    "signOnUrl": None,
}
OPENID: dict[str, Any] = {
    "mode": "oidc", "openIdConnect": {"redirectUris": ["https://wiki.test/callback"]}, "signOnUrl": "https://wiki.test",
}  # fmt: skip
# For each application, its settings, and who is assigned. "Old" is a deleted group.
APPS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "files": (SAML, ("anna",), ()),
    "wiki": (OPENID, (), ("Writers",)),
    "start": (SAML | {"signOnUrl": "https://docs.test/start"}, ("anna",), ()),
    "quiet": (OPENID | {"signOnUrl": None}, ("anna", "ben"), ()),
    "off": (SAML | {"enabledForSignIn": False}, ("anna", "ben"), ()),
    "away": (OPENID | {"enabledForSignIn": False}, ("anna", "ben"), ()),
    "everybody": (SAML | {"assignmentRequired": False}, (), ()),
    "open": (OPENID | {"assignmentRequired": False}, (), ()),
    "plain": ({}, ("anna", "ben"), ()),
    "left": (SAML | {"mode": "disabled"}, ("anna", "ben"), ()),
    "flat": (SAML, (), ("Staff",)),
    "deep": (SAML, (), ("Staff",)),
    "former": (SAML, (), ("Old",)),
    "formerly-deep": (SAML, (), ("Old",)),
}


@dataclass
class World:
    """Anna is a member of Writers, Ben of Chiefs, which contains Lower and is in Staff. Carla is a member of the deleted group Old, and of
    Inner, which is in Top. Members of nested groups count as assigned to *deep* and *formerly-deep* only.
    """

    context: Context

    @asynccontextmanager
    async def rolled_back(self) -> AsyncIterator[World]:
        """The same world in one transaction, whose changes are rolled back."""
        pool = self.context.pool
        async with pool.connection() as connection, connection.transaction(force_rollback=True):
            yield World(replace(self.context, within=connection))

    async def id_of(self, name: str) -> str:
        return (await people.show_person(self.context, upn(name))).person.id

    async def session(self, name: str) -> str:
        async with self.context.recording() as connection:
            person = await person_credentials.credential_named(connection, upn(name))
            assert person is not None
            begun = await begin_session(self.context, connection, person.person, (PASSWORD,), HERE, replaces="")
        return begun.secret

    async def tiles(self, name: str) -> list[str]:
        return [one.name for one in await my_apps(self.context, await self.session(name))]

    async def opened(self, name: str) -> list[str]:
        """How each application answers when the person opens it."""
        secret, found = await self.session(name), []
        for app in APPS:
            try:
                by_openid = await opening.open_application(self.context, app, secret, visitor=HERE, origin=ORIGIN)
                answer = by_openid or await answering.launch(self.context, app, secret, visitor=HERE, origin=ORIGIN)
                found.append(f"{app} {type(answer).__name__}")
            except LockstepError as refused:
                found.append(f"{app} {refused.code} {refused.detail}")
        return found


async def assigned_world(hub: Hub) -> World:
    """Set the applications up, at a time that stands still."""
    context = replace(hub.context, now=lambda: NOW, opener=ScimTargets(()))
    for group, members in {
        "Writers": ["anna"],
        "Staff": [],
        "Chiefs": ["ben"],
        "Old": ["carla"],
        "Top": [],
        "Inner": ["carla"],
        "Lower": [],
    }.items():
        await groups.create_group(context, group)
        if members:
            await groups.change_members(context, group, add=[upn(one) for one in members])
    for outer, inner in (("Staff", "Chiefs"), ("Chiefs", "Lower"), ("Top", "Inner")):
        await groups.change_members(context, outer, add=[inner], groups_too=True)
    for name, (wanted, users, of_groups) in APPS.items():
        await applications.add_application(context, "custom", name=name)
        await roles.add_role(context, name, "Reader")
        role = "Reader" if name in ("files", "wiki") else None
        if users or of_groups:
            await assignments.assign(
                context, name, users=[upn(one) for one in users], groups=list(of_groups), role=role
            )
        if name in ("deep", "formerly-deep"):
            await settings.change_settings(context, name, nested_groups=True)
        if wanted:
            await sign_on.change_sign_on(context, name, wanted)
    await groups.delete_group(context, "Old")
    return World(context)
