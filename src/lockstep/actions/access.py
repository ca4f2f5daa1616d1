"""Every action says which permission it needs, by a decorator that checks it before the action begins.

`ACTIONS` lists them all. A public action that is not in it fails the build.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import not_found
from lockstep.storage import applications
from lockstep.wording import did_you_mean

Action = TypeVar("Action", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What an action needs. *permission* None: everybody may call it, also somebody who is not signed in.

    *app* is the parameter with the name of the application for which the permission is needed. An action that *filters* shows only what
    concerns the applications in which the caller has the permission.
    """

    permission: Permission | None
    app: str = ""
    filters: bool = False


ACTIONS: dict[str, AccessRule] = {}


def needs(permission: Permission, *, app: str = "", filters: bool = False) -> Callable[[Action], Action]:
    """The action needs *permission*: everywhere, or only for the application that its parameter *app* names.

    Raises LockstepError before the action begins. For somebody else's application it is the error for an unknown one.
    """
    return functools.partial(_checked, AccessRule(permission, app, filters))


def open_to_all(action: Action) -> Action:
    """The action needs no permission, because it decides who the caller is."""
    ACTIONS[_name(action)] = AccessRule(None)
    return action


def _checked(rule: AccessRule, action: Action) -> Action:
    ACTIONS[_name(action)] = rule
    signature = inspect.signature(action)

    async def check(context: Context, *args: Any, **options: Any) -> None:
        app = str(signature.bind(context, *args, **options).arguments.get(rule.app) or "") if rule.app else ""
        await _check(context, rule, app)

    if inspect.isasyncgenfunction(action):

        @functools.wraps(action)
        async def generator(context: Context, *args: Any, **options: Any) -> AsyncIterator[Any]:
            await check(context, *args, **options)
            async with aclosing(action(context, *args, **options)) as items:
                async for item in items:
                    yield item

        return cast(Action, generator)

    @functools.wraps(action)
    async def coroutine(context: Context, *args: Any, **options: Any) -> Any:
        await check(context, *args, **options)
        return await action(context, *args, **options)

    return cast(Action, coroutine)


async def _check(context: Context, rule: AccessRule, app: str) -> None:
    actor, permission = context.actor, rule.permission
    if permission is None:
        return
    if permission in actor.permissions or permission not in actor.own_permissions:
        actor.require(permission)
    elif app:
        async with context.recording() as connection:
            found = await applications.find_application(connection, app)
            if found is not None and actor.may(permission, found.id):
                actor.require(permission, found.id)
                return
            if found is not None and actor.may(Permission.APPLICATIONS_READ, found.id):
                actor.require(permission)
            visible = [
                one.name
                for one in await applications.list_applications(connection)
                if actor.may(Permission.APPLICATIONS_READ, one.id)
            ]
        raise unknown_application(app, visible)
    elif not rule.filters:
        actor.require(permission)


def unknown_application(name: str, visible: list[str]) -> Exception:
    """The error for an application that does not exist, or that the caller may not know of."""
    otherwise = (
        f"Available: {', '.join(visible)}" if visible else "No application is yours yet: ask a Lockstep administrator"
    )
    return not_found(
        f'Unknown application "{name}"', next_step=did_you_mean(name, visible, most=3, otherwise=otherwise)
    )


def _name(action: Callable[..., Any]) -> str:
    return f"{action.__module__.removeprefix('lockstep.actions.')}.{action.__qualname__}"
