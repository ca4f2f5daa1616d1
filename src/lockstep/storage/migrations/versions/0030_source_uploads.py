"""Store the files that were uploaded for a source, and what each import of a source changed."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    run_sql_beside(__file__)
