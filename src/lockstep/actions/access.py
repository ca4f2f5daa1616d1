"""The permission checks of actions. A decorator on every action names the permission that the action needs, and checks it before the action
begins. The action is run again if a deadlock rolled it back.

`ACTIONS` lists all actions; the build fails if a public action is missing there. If the context belongs to another installation, the action
runs in that installation, and that installation checks the permission.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.undone import again_if_undone
from lockstep.errors import LockstepError, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import applications
from lockstep.wording import did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class AccessRule:
    """The permission that an action needs. If *permission* is None, everybody may call the action, even without signing in.

    *app* is the name of the action's parameter that contains the application; "" if the action has no such parameter. If the call names an
    application, the permission for that application is sufficient. If *filters* is true, a caller who has the permission only for some
    applications may also call the action without naming one. The action then returns only data about those applications.
    """

    permission: Permission | None
    app: str = ""
    filters: bool = False


ACTIONS: dict[str, AccessRule] = {}
CHECKED: dict[str, Callable[..., Any]] = {}  # the actions that need a permission, with their checks


def needs(permission: Permission, *, app: str = "", filters: bool = False) -> Callable[[F], F]:
    """Return a decorator that checks the permission before the action begins, and raises LockstepError if it is missing.

    By default, the caller needs *permission* for all applications. If *app* is the name of a parameter of the action, the permission for
    the application in that parameter is sufficient. If *filters* is true and the call names no application, the permission for at least one
    application is sufficient.

    For an application that the caller may not read, the error is the same as for an unknown application.
    """
    return functools.partial(_checked, AccessRule(permission, app, filters))


def open_to_all(action: F) -> F:
    """Let everybody call the action, even without signing in. Used for actions that find out who the caller is."""
    ACTIONS[_name(action)] = AccessRule(None)
    return action


def _checked(rule: AccessRule, action: F) -> F:
    name = _name(action)
    ACTIONS[name] = rule
    signature = inspect.signature(action)

    async def check(context: Context, *args: Any, **options: Any) -> None:
        actor, permission = context.actor, rule.permission
        if permission is None:
            return
        is_own = permission in actor.own_permissions
        # Callers who may see all applications get the application's name, so that the refusal can name its owner.
        if actor.everywhere(permission) or not (is_own or actor.everywhere(Permission.APPLICATIONS_READ)):
            actor.require(permission)
            return
        app = str(signature.bind(context, *args, **options).arguments.get(rule.app) or "") if rule.app else ""
        if app:
            async with context.recording() as connection:
                await require_application(context, connection, app, permission)
        elif not (rule.filters and is_own):
            actor.require(permission)

    if inspect.isasyncgenfunction(action):

        @functools.wraps(action)
        async def generator(context: Context, *args: Any, **options: Any) -> AsyncIterator[Any]:
            if context.elsewhere is not None:
                async with aclosing(
                    context.elsewhere.stream(context, name, _given(signature, context, args, options))
                ) as items:
                    async for item in items:
                        yield item
                return
            await check(context, *args, **options)
            async with aclosing(action(context, *args, **options)) as items:
                async for item in items:
                    yield item

        CHECKED[name] = generator
        return cast(F, generator)

    @functools.wraps(action)
    async def coroutine(context: Context, *args: Any, **options: Any) -> Any:
        if context.elsewhere is not None:
            return await context.elsewhere.call(context, name, _given(signature, context, args, options))
        await check(context, *args, **options)
        return await again_if_undone(lambda: action(context, *args, **options), owns_transaction=context.within is None)

    CHECKED[name] = coroutine
    return cast(F, coroutine)


async def needs_also(context: Context, permission: Permission, *, app: str) -> None:
    """Check a second *permission*, which the action needs only for some values of its parameters. Raises LockstepError if it is missing.
    The action calls this before it changes anything.
    """
    async with context.recording() as connection:
        await require_application(context, connection, app, permission)


def _given(
    signature: inspect.Signature, context: Context, args: Sequence[Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of the call, except the context. The keys are the names of the parameters."""
    _, *rest = signature.bind(context, *args, **options).arguments.items()
    return dict(rest)


async def require_application(context: Context, connection: Connection, app: str, permission: Permission) -> None:
    """Raise LockstepError unless the caller has *permission* for the application called *app*.

    If the caller may not even read the application, the error is the same as for an unknown application, so the error does not reveal
    whether the application exists.
    """
    actor = context.actor
    found = await applications.find_application(connection, app)
    if found is None or not actor.may(Permission.APPLICATIONS_READ, found.id):
        known = await applications.list_applications(connection)
        raise _unknown(app, [one.name for one in known if actor.may(Permission.APPLICATIONS_READ, one.id)])
    actor.require(permission, found.id)


def _unknown(name: str, visible: list[str]) -> LockstepError:
    otherwise = (
        f"Available: {', '.join(visible)}"
        if visible
        else "You do not own an application. Ask a Global administrator to make you the owner of one"
    )
    return not_found(
        f'Unknown application "{name}"', next_step=did_you_mean(name, visible, most=3, otherwise=otherwise)
    )


def _name(action: Callable[..., Any]) -> str:
    return f"{action.__module__.removeprefix('lockstep.actions.')}.{action.__qualname__}"
