"""What configuration files say of the whole organisation, and the labels of everything that a file can name."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql_beside(__file__)
