"""The deep connection test: send the requests of provisioning, through the same code, for people and a group created for the test.

The test writes to the application and deletes what it created, even if a step fails halfway. If something cannot be deleted, a
failed probe says so. Requests of other clients are checked by `lockstep scim check`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from lockstep.engine.records import Account, Change, ObjectKind, Values
from lockstep.http.client import HttpClient
from lockstep.ports import Answer, Probe, Target, TargetError, TargetSettings
from lockstep.scim import patch_build
from lockstep.targets.conformance.made_objects import Fault, MadeObjects, new_name, operation_name
from lockstep.targets.probing.connection import test_connection
from lockstep.targets.scim_requests import values_at
from lockstep.targets.scim_target import ScimTarget

USER, GROUP = ObjectKind.USER, ObjectKind.GROUP
MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
EMAIL = 'emails[type eq "work"].value'
USERS = ("Create", "Find", "Change", "E-mail", "Remove a value", "Manager", "Rename", "Disable", "Enable")
GROUPS = ("Create a group", "Find a group", "Add members", "Remove a member", "Rename a group")
CLEAN_UP = "Clean-up"
UNSHOWN = "It does not show the members of a group, so Lockstep cannot verify that they were kept"


class Unverified(Exception):
    """Raised if the application accepted a step but the result cannot be verified. Its text says why, and *remedy* says what to
    do.
    """

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.remedy = remedy


async def test_deeply(settings: TargetSettings, client: HttpClient) -> Sequence[Probe]:
    """Run the connection test and, if it passes, one probe for each kind of write. Never raises for errors of the application.

    If only the search for groups fails, the writes to people are still tested.
    """
    probes = tuple(await test_connection(settings, client))
    names = (*USERS, *(GROUPS if GROUP in settings.kinds else ()))
    failed = [probe.name for probe in probes if not probe.passed]
    if failed and failed != ["Groups"]:
        return (*probes, *(_untried(name, failed[0]) for name in (*names, CLEAN_UP)))
    target = ScimTarget(settings, client)
    run = DeepTest(target, settings, MadeObjects(target, settings))
    try:
        await run.write(USERS if failed else names)  # an application without groups may still handle people correctly
        run.probes += [_untried(name, failed[0]) for name in names if failed and name in GROUPS]
    finally:
        left = await run.made.delete_all()
    sentence = f"Not deleted: {', '.join(left)}" if left else "Everything that was created was deleted"
    clean_up = Probe(CLEAN_UP, not left, sentence, "Delete it by hand" if left else "")
    return (*probes, *run.probes, clean_up)


@dataclass
class DeepTest:
    """One run of the deep test."""

    target: Target
    settings: TargetSettings
    made: MadeObjects
    probes: list[Probe] = field(default_factory=list)
    person: str = ""
    boss: str = ""
    group: str = ""
    name: str = ""
    group_name: str = ""
    put: set[ObjectKind] = field(default_factory=set)  # the kinds for which an update needed a whole resource

    async def write(self, names: Sequence[str]) -> None:
        """Run the probes *names* in order; they write to the application. If the account or the group could not be created, all later
        probes are reported as not tried.
        """
        steps = dict(zip((*USERS, *GROUPS), self._steps(), strict=True))
        missing = ""
        for name in names:
            if missing:
                self.probes.append(_untried(name, missing))
                continue
            await self._try(name, steps[name])
            if name in (USERS[0], GROUPS[0]) and not self.probes[-1].passed:
                missing = name

    def _steps(self) -> tuple[Callable[[], Awaitable[str]], ...]:
        return (
            self._create, self._find, self._change, self._change_email, self._remove_value, self._set_manager, self._rename,
            self._disable, self._enable, self._create_group, self._find_group, self._add_members, self._remove_member,
            self._rename_group,
        )  # fmt: skip

    async def _try(self, name: str, step: Callable[[], Awaitable[str]]) -> None:
        started = monotonic()
        is_good, is_verified, sentence, remedy = True, True, "", ""
        try:
            sentence = await step()
        except Unverified as unknown:
            is_verified, sentence, remedy = False, str(unknown), unknown.remedy
        except Fault as fault:
            is_good, sentence, remedy = False, str(fault), fault.remedy
        except TargetError as failed:
            is_good, sentence, remedy = False, failed.answer.detail, failed.answer.next_step
        self.probes.append(Probe(name, is_good, sentence, remedy, monotonic() - started, is_verified=is_verified))

    async def _create(self) -> str:
        self.name, boss = new_name(), new_name()
        self.person = await self.made.create(USER, self.name, self._values(self.name))
        self.boss = await self.made.create(USER, boss, self._values(boss))
        await self._shows(USER, self.person, {"active": True, self.settings.matching_attribute: self.name})
        return "Two active users were created"

    def _values(self, name: str) -> dict[str, Any]:
        return {
            "userName": name,
            "active": "True",
            "displayName": "Lockstep Check",
            "name.givenName": "Lockstep",
            "name.familyName": "Check",
            "title": "Check",
            EMAIL: name,
            self.settings.matching_attribute: name,
        }

    async def _find(self) -> str:
        attribute = self.settings.matching_attribute
        found = [one.id for one in await self.target.find(USER, attribute, self.name)]
        if found != [self.person]:
            raise Fault(
                f"A search by {attribute} finds {len(found)} accounts instead of the one that was created",
                "Choose another matching attribute; otherwise people are created twice",
            )
        return f"A search by {attribute} finds the account that was created, and no other"

    async def _change(self) -> str:
        await self._update(USER, self.person, {"displayName": "Lockstep Changed", "name.familyName": "Changed"})
        await self._shows(USER, self.person, {"name.familyName": "Changed"})
        return f"A change is kept{self._how(USER)}"

    async def _change_email(self) -> str:
        await self._update(USER, self.person, {EMAIL: f"new-{self.name}"})
        account = await self._read(USER, self.person)
        if f"new-{self.name}" not in set(values_at(account.resource, "emails")):
            raise Fault("An e-mail address was accepted but not kept", _unmap(self.settings.app, EMAIL))
        return "The work e-mail address is replaced"

    async def _remove_value(self) -> str:
        if not _holds(await self._read(USER, self.person), "title", "Check"):
            raise Unverified("title was accepted on creation but is not returned", _unmap(self.settings.app, "title"))
        await self._update(USER, self.person, {"title": None})
        await self._shows(USER, self.person, {"title": patch_build.MISSING})
        return "A value is removed"

    async def _set_manager(self) -> str:
        answer = await self._update(USER, self.person, {MANAGER: self.boss}, remedy=_unmap(self.settings.app, MANAGER))
        account = await self._read(USER, self.person)
        if not _holds(account, MANAGER, self.boss):
            raise Fault("A manager was accepted but not kept", _unmap(self.settings.app, MANAGER))
        return "A manager is kept" + (", in a different form than first tried" if len(answer.exchanges) > 1 else "")

    async def _rename(self) -> str:
        new = new_name()
        await self._update(USER, self.person, {"userName": new})
        await self._shows(USER, self.person, {"userName": new})
        self.made.rename(self.person, new)
        return "The user name is changed, the id stays"

    async def _disable(self) -> str:
        remedy = "Lockstep cannot disable accounts in this application. Ask the vendor how an account is disabled"
        await self._update(USER, self.person, {"active": "False"}, remedy=remedy)
        account = await self.target.get(USER, self.person)
        if account is None:
            raise Fault(
                "A disabled account is no longer found by its id", "Re-enabling a person would create a second account"
            )
        if not _holds(account, "active", False):
            raise Fault("The account should be disabled but is still active", remedy)
        return "An account is disabled and can still be read"

    async def _enable(self) -> str:
        await self._update(USER, self.person, {"active": "True"})
        await self._shows(USER, self.person, {"active": True})
        return "A disabled account is enabled again"

    async def _create_group(self) -> str:
        self.group_name = new_name()
        self.group = await self.made.create(GROUP, self.group_name, {"displayName": self.group_name})
        return "A group was created, without members"

    async def _find_group(self) -> str:
        found = [one.id for one in await self.target.find(GROUP, "displayName", self.group_name)]
        if found != [self.group]:
            raise Fault(
                f"A search by displayName finds {len(found)} groups instead of the one that was created",
                "Do not provision groups here: they would be created twice",
            )
        return "A search by displayName finds the group that was created, and no other"

    async def _add_members(self) -> str:
        await self._members(add=[self.person, self.boss])
        return await self._has_members({self.person, self.boss}, f"Members are added and kept{self._how(GROUP)}")

    async def _remove_member(self) -> str:
        await self._members(remove=[self.person])
        return await self._has_members({self.boss}, "A member is removed, the others stay")

    async def _rename_group(self) -> str:
        new = new_name()
        await self._update(GROUP, self.group, {"displayName": new})
        await self._shows(GROUP, self.group, {"displayName": new})
        self.made.rename(self.group, new)
        return await self._has_members({self.boss}, "A group is renamed and keeps its members")

    async def _members(self, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        answer = await self.target.change_members(self.group, add=add, remove=remove, operation_id=operation_name())
        if not answer.is_done:
            raise Fault(answer.detail, answer.next_step)
        self._note_put(GROUP, answer)

    async def _has_members(self, wanted: set[str], sentence: str) -> str:
        held = await self.target.members_of(self.group)
        # Many servers return an empty list although they simply do not show members.
        if not held:
            raise Unverified(UNSHOWN, "Ask the vendor how members are read, and compare a group by hand")
        if held != wanted:
            lost, extra = len(wanted - held), len(held - wanted)
            raise Fault(
                f"The change was accepted, but {lost} members are missing and {extra} unexpected ones are present",
                "Ask the vendor how members are changed; until then, do not provision groups here",
            )
        return sentence

    async def _update(self, kind: ObjectKind, target_id: str, values: Values, *, remedy: str = "") -> Answer:
        """Change an account in the way provisioning does."""
        changes = [Change(path, None, new) for path, new in values.items()]
        answer = await self.target.update(
            kind, target_id, changes, current=None, etag="", operation_id=operation_name()
        )
        if not answer.is_done:
            raise Fault(answer.detail, remedy or answer.next_step)
        self._note_put(kind, answer)
        return answer

    def _note_put(self, kind: ObjectKind, answer: Answer) -> None:
        if answer.exchanges and answer.exchanges[-1].method == "PUT":
            self.put.add(kind)

    def _how(self, kind: ObjectKind) -> str:
        return "; without PATCH support, whole resources are sent with PUT" if kind in self.put else ""

    async def _read(self, kind: ObjectKind, target_id: str) -> Account:
        account = await self.target.get(kind, target_id)
        if account is None:
            raise Fault(
                "A resource that was written earlier is missing",
                "Ask the vendor why a created resource cannot be read by its id",
            )
        return account

    async def _shows(self, kind: ObjectKind, target_id: str, wanted: Values) -> None:
        account = await self._read(kind, target_id)
        for path, value in wanted.items():
            if not _holds(account, path, value):
                raise Fault(f"{path} was accepted but not kept", _unmap(self.settings.app, path))


def _holds(account: Account, path: str, value: Any) -> bool:
    held = patch_build.read_path(account.resource, path)
    if value is patch_build.MISSING:
        return held is patch_build.MISSING or held in (None, "")
    return bool(held == value) or str(held).casefold() == str(value).casefold()


def _untried(name: str, failed: str) -> Probe:
    return Probe(name, False, f"Skipped because {failed} failed", tried=False)


def _unmap(app: str, path: str) -> str:
    return f"If the application cannot store it: lockstep map set {app} '{path}' --remove"
