"""User names that differ only in width or composition are one name. Two members who already share such a name both keep it."""

from typing import cast

import psycopg
import structlog
from alembic import op

from documo.user_names import key_of

revision = "0005"
down_revision = "0004"

log = structlog.get_logger("documo.migrations")

_NAMES = (
    "select id::text, kind, unique_name, document->>'userName', deleted_at is null from resources where tenant_id = %s"
    " and kind in ('User', 'Operator') and octet_length(unique_name) <> char_length(unique_name) order by created_at, id"
)
_NAMESAKE = (
    "select id::text from resources where tenant_id = %s and kind = %s and unique_name = %s and id <> %s"
    " and deleted_at is null"
)
_SEARCH = (
    "update resource_search set document = jsonb_set(document, '{userName}', to_jsonb(%s::text))"
    " where tenant_id = %s and id = %s"
)


def upgrade() -> None:
    give_keys(cast("psycopg.Connection[tuple[str, ...]]", op.get_bind().connection.driver_connection))


def give_keys(connection: psycopg.Connection[tuple[str, ...]]) -> None:
    """Write the comparison key of every non-ASCII name. If another member already has that key, log both members and leave the newer member
    without a key.
    """
    for (tenant_id,) in connection.execute("select id from accounts order by id").fetchall():
        connection.execute("select set_config('documo.tenant', %s, true)", (str(tenant_id),))
        for member_id, kind, held, name, lives in connection.execute(_NAMES, (tenant_id,)).fetchall():
            key = key_of(name)
            if key == held:
                continue
            namesake = connection.execute(_NAMESAKE, (tenant_id, kind, key, member_id)).fetchone() if lives else None
            if namesake is not None:
                log.warning(
                    "two_members_with_one_user_name",
                    account=tenant_id,
                    user_name=name,
                    found=namesake[0],
                    only_by_id=member_id,
                )
                continue
            connection.execute(
                "update resources set unique_name = %s where tenant_id = %s and id = %s", (key, tenant_id, member_id)
            )
            connection.execute(_SEARCH, (key, tenant_id, member_id))
