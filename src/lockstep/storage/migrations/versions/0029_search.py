"""Add indexes for searching people, groups and the provisioning log by a part of a text."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    run_sql_beside(__file__)
