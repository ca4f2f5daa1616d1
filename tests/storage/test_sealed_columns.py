"""Every column with sealed secrets is listed with what its envelopes are bound to; otherwise replacing the key would lose them."""

from __future__ import annotations

import re
from pathlib import Path

from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from lockstep.storage.sealed import SEALED_COLUMNS

ACTIONS = Path(__file__).resolve().parents[2] / "src" / "lockstep" / "actions"
# Digests, public keys, uploads and salts are not encrypted.
NOT_SEALED = re.compile(
    r"hash$|^refused_to$|^request$|^content$|^credential_id$|^public_key$|^pairwise_salt$|^subjects?$"
)


async def test_every_column_of_bytes_is_sealed_and_listed_or_known_not_to_be(lockstep_database: Database) -> None:
    pool = await open_pool(lockstep_database, max_size=1)
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select table_name, column_name from information_schema.columns where data_type = 'bytea' and table_schema = 'public'"
        )
        found = {(str(table), str(column)) for table, column in await cursor.fetchall()}
    await pool.close()

    assert {one for one in found if not NOT_SEALED.search(one[1])} == {
        (one.table, one.column) for one in SEALED_COLUMNS
    }


def test_each_purpose_is_the_one_that_the_secrets_are_sealed_for() -> None:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ACTIONS.rglob("*.py")))

    assert [one.purpose for one in SEALED_COLUMNS if f'"{one.purpose}"' not in texts] == []
