"""A preview can be applied: a cycle writes only the objects whose plan is still the same as in the preview, and lists the other objects.

Previews that were made before have no fingerprints, so they cannot be applied.
"""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    run_sql_beside(__file__)
