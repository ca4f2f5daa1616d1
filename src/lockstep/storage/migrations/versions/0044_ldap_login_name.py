"""Support StartTLS for the LDAP directory, and login names that differ from the user principal name."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    run_sql_beside(__file__)
