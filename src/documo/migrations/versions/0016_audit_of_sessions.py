"""The end of sessions and the trust in an issuer in the audit log."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql_beside(__file__)
