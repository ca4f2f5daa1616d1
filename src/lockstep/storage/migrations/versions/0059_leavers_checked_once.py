"""One active leaver is enough to read the accounts of all leavers; the others that are read in the same cycle do not begin it again."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    run_sql_beside(__file__)
