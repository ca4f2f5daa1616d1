"""Let people sign in with the password that they have in an LDAP directory."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    run_sql_beside(__file__)
