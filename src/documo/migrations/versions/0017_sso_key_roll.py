"""A second key with a state, so that an account can replace its key for single sign-on."""

from typing import cast

import psycopg
from alembic import op
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lockstep.postgres.revisions import run_sql_beside

revision = "0017"
down_revision = "0016"

_AFTER = """
alter table sso_keys
    alter column thumbprint set not null, alter column expires_at set not null, alter column state drop default,
    add primary key (tenant_id, thumbprint), add unique (tenant_id, state) deferrable initially immediate;
create trigger sso_key_audit after insert or update or delete on sso_keys for each row
    execute function audit_row('Signing key', 'thumbprint', 'thumbprint', 'state', 'certificate', 'expires_at');
"""


def upgrade() -> None:
    run_sql_beside(__file__)
    connection = cast("psycopg.Connection[tuple[int, str]]", op.get_bind().connection.driver_connection)
    name_keys(connection)
    connection.execute(_AFTER)


def name_keys(connection: psycopg.Connection[tuple[int, str]]) -> None:
    """Write the thumbprint and the expiry of each certificate."""
    for tenant_id, pem in connection.execute("select tenant_id, certificate from sso_keys").fetchall():
        certificate = x509.load_pem_x509_certificate(pem.encode())
        thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 -- identifies, as Entra does
        connection.execute(
            "update sso_keys set thumbprint = %s, expires_at = %s where tenant_id = %s",
            (thumbprint, certificate.not_valid_after_utc, tenant_id),
        )
