"""A company of fifty people in two departments, and what an application should show of it, attribute by attribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.actions import assignments, groups, roles
from lockstep.actions import settings as settings_actions
from tests.journeys.two_applications import Stage, Wire
from tests.support.hub import HEADER, guid, person, upn

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ROLE = 'roles[primary eq "True"].value'
ONE_ROLE = {"expression": "SingleAppRoleAssignment([appRoleAssignments])", "clearWhenEmpty": True}
CLEARED = ("title", f"{ENTERPRISE}:department", f"{ENTERPRISE}:manager")
COLUMNS = (*HEADER, "jobTitle", "mail")
NAMES = tuple(f"p{number:02}" for number in range(50))
ROLES = {"Sales": "Writer", "Support": "Reader"}


@dataclass
class Company:
    """The people in the directory, their groups, and those who have left an application and are disabled in it."""

    stage: Stage
    app: str
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    teams: dict[str, set[str]] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    @property
    def wire(self) -> Wire:
        return self.stage.wires[self.app]

    async def begin(self) -> None:
        """All people, both groups and their roles, with nobody provisioned yet."""
        context = self.stage.context
        self.stage.columns = COLUMNS
        await settings_actions.set_mapping(context, self.app, ROLE, ONE_ROLE)
        for target in CLEARED:
            await settings_actions.set_mapping(context, self.app, target, {"clearWhenEmpty": True})
        await self.change({name: _row(name) for name in NAMES})
        self.teams = {"Sales": set(NAMES[:30]), "Support": set(NAMES[30:])}
        for team, members in self.teams.items():
            await roles.add_role(context, self.app, ROLES[team])
            await groups.create_group(context, team)
            await groups.change_members(context, team, add=[self.name_of(one) for one in members])
            await assignments.assign(context, self.app, groups=[team], role=ROLES[team])

    async def change(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        """Change these columns of these people."""
        for name, values in changes.items():
            self.rows[name] = {**self.rows.get(name, {}), **values}
        await self.stage.have(self.rows[name] for name in changes)

    async def move(self, name: str, *, out_of: str = "", into: str = "") -> None:
        if out_of:
            self.teams[out_of].discard(name)
            await groups.change_members(self.stage.context, out_of, remove=[self.name_of(name)])
        if into:
            self.teams[into].add(name)
            await groups.change_members(self.stage.context, into, add=[self.name_of(name)])

    def name_of(self, name: str) -> str:
        return self.rows[name]["userPrincipalName"]

    def expected(self, *, lacks: frozenset[str]) -> dict[str, dict[str, Any]]:
        """The expected values of each account, by user name, without *lacks*. For a leaver only `active` is managed."""
        by_id = {row["id"]: row["userPrincipalName"] for row in self.rows.values()}
        wanted = {}
        for name, row in self.rows.items():
            teams = [team for team, members in self.teams.items() if name in members]
            account = {
                "active": row["accountEnabled"] == "True",
                "displayName": row["displayName"],
                "givenName": row["givenName"],
                "familyName": row["surname"],
                "title": row["jobTitle"] or None,
                "email": row["mail"] or None,
                "department": row["department"] or None,
                "manager": by_id.get(row["manager"]),
                "roles": [ROLES[team] for team in teams],
            }
            wanted[row["userPrincipalName"]] = {"active": False} if name in self.left else _without(account, lacks)
        return wanted

    async def shown(self, *, lacks: frozenset[str]) -> dict[str, dict[str, Any]]:
        """The values of each account as the application shows them."""
        accounts = await self.wire.listed()
        by_id = {account["id"]: name for name, account in accounts.items()}
        left = {self.name_of(name) for name in self.left}
        return {
            name: {"active": account["active"]} if name in left else _without(_shown(account, by_id), lacks)
            for name, account in accounts.items()
        }

    def expected_members(self) -> dict[str, set[str]]:
        return {team: {self.name_of(one) for one in members} for team, members in self.teams.items()}

    async def shown_members(self) -> dict[str, set[str]]:
        by_id = {account["id"]: name for name, account in (await self.wire.listed()).items()}
        shown = await self.wire.listed("Groups")
        return {name: {by_id[one["value"]] for one in group.get("members") or []} for name, group in shown.items()}


def _row(name: str) -> dict[str, str]:
    """The first person manages the next four, and each of those manages every fifth of the others."""
    number = int(name[1:])
    leader = NAMES[0] if number < 5 else NAMES[number % 5]
    return person(
        name,
        jobTitle=f"Title {number}",
        mail=f"{name}@mail.test",
        department=f"Department {number % 5}",
        manager=guid(leader) if number else "",
        displayName=f"{name.capitalize()} Test",
    )


def _shown(account: Mapping[str, Any], by_id: Mapping[str, str]) -> dict[str, Any]:
    name, extension = account.get("name") or {}, account.get(ENTERPRISE) or {}
    emails = [one.get("value") for one in account.get("emails") or []]
    assert len(emails) <= 1, account
    manager = (extension.get("manager") or {}).get("value")
    return {
        "active": account["active"],
        "displayName": account.get("displayName"),
        "givenName": name.get("givenName"),
        "familyName": name.get("familyName"),
        "title": account.get("title"),
        "email": (emails or [None])[0],
        "department": extension.get("department"),
        "manager": by_id.get(str(manager), manager),
        "roles": [one["value"] for one in account.get("roles") or []],
    }


def _without(account: Mapping[str, Any], lacks: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in account.items() if name not in lacks}


__all__ = ["NAMES", "Company", "guid", "upn"]
