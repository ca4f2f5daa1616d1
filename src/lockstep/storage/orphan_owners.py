"""Find possible owners of an account without a link. A possible owner has no account, and has a name, address or employee id that is one of
the words of the account.
"""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.postgres.pool import Connection

MOST_PEOPLE = 2_000


async def people_without_account(connection: Connection, job: str, words: Iterable[str]) -> list[str]:
    """Return the ids of people without an account who have one of *words* (in lower case) as a name or identifier. At most MOST_PEOPLE are
    returned.

    The words are compared with the user principal name and the mail address, the part of each before the @, the display name, the surname,
    the employee id and the mail nickname.
    """
    cursor = await connection.execute(
        """select id::text from person
        where deleted_at is null
            and array[lower(user_principal_name), lower(split_part(user_principal_name, '@', 1)),
                lower(attributes ->> 'mail'), lower(split_part(attributes ->> 'mail', '@', 1)),
                lower(attributes ->> 'displayName'), lower(attributes ->> 'surname'),
                lower(attributes ->> 'employeeId'), lower(attributes ->> 'mailNickname')] && %(words)s::text[]
            and not exists (select from link where link.job = %(job)s and link.kind = 'User' and link.source_id = person.id
                and link.state <> 'tombstone')
        order by id limit %(most)s""",
        {"job": job, "words": list(words), "most": MOST_PEOPLE},
    )
    return [row[0] for row in await cursor.fetchall()]
