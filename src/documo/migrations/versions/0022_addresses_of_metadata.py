"""Give each account an address of its SAML metadata that nobody can guess."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_sql_beside(__file__)
