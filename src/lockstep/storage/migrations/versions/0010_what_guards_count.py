"""Record the effect of a write independently of its action: whether it ends access, and whether it changes a matching value."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_beside(__file__)
