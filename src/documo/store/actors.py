"""Build the value of the setting `documo.actor`, from which the triggers of the audit log read who made a change."""

from __future__ import annotations

from collections.abc import Mapping

import orjson


def member_actor(member_id: str, user_name: str) -> str:
    """Return the actor for a member who uses the pages."""
    return _setting(kind="member", id=member_id, name=user_name)


def command_actor(command: str) -> str:
    """Return the actor for an operator on the command line. *command* is for example `documo members disable`."""
    return _setting(kind="command", name=command)


def key_actor(keys: Mapping[str, str | None]) -> str:
    """Return the actor for a batch of SCIM requests. *keys* maps each changed resource to the API key that changes it."""
    different = set(keys.values())
    if len(different) == 1:
        (key,) = different
        return _setting(kind="key", id=key) if key else ""
    return _setting(kind="key", of={resource: key for resource, key in keys.items() if key})


def _setting(**values: object) -> str:
    return orjson.dumps(values).decode()
