"""Find people by any of their names, and keep their accounts when their key changes."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql_beside(__file__)
