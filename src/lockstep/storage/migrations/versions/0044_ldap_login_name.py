"""An LDAP directory may be reached with StartTLS, and people may enter another name than their user principal name."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    run_sql_beside(__file__)
