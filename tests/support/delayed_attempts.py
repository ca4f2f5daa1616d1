"""Change a database of either product so that every attempt to sign in is delayed, whoever makes it.

await delay_all_attempts(connection)
"""

from __future__ import annotations

from lockstep.postgres.pool import Connection

_SECONDS = 600
_TRIGGER = f"""
create function delay_attempt() returns trigger language plpgsql as
$$ begin new.locked_until := now() + interval '{_SECONDS} seconds'; return new; end $$;
create trigger delay_attempt before insert or update on sign_in_attempt for each row execute function delay_attempt();
"""


async def delay_all_attempts(connection: Connection) -> None:
    await connection.execute(_TRIGGER)


def says_when(retry_after: str | None) -> bool:
    """Whether the Retry-After header states the remaining delay."""
    return retry_after is not None and _SECONDS - 60 < int(retry_after) <= _SECONDS
