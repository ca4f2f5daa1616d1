"""Search for people, groups, applications and log records that the caller may see.

A question such as "why is Anna not in Documo?" is reduced to the person and the application that it names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage import applications, provisioning_log, search
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.batches import as_id
from lockstep.storage.provisioning_log import LogFilter, LogRow
from lockstep.storage.search import GroupHit as GroupHit
from lockstep.storage.search import PersonHit as PersonHit

MOST_SHOWN = 6
_MOST_WORDS = 10
_SHORTEST = 3  # letters; shorter texts are not searched in the log or matched with the start of an application's name
_QUESTIONS = frozenset(("why", "is", "isn't", "does", "doesn't", "has", "hasn't", "can", "can't", "explain"))
_ORDERS = frozenset(("provision", "push"))
_OTHERS = (
    "a about access account an and any app application at did didn't do for from get getting have haven't he her him his in "
    "into missing no not of on or out provisioned she should still the them there they to was wasn't with"
)
_FILLERS = _QUESTIONS | frozenset(_OTHERS.split())
_WORD = re.compile(r"[^\s,;!?()\"“”]+")


@dataclass(frozen=True, slots=True)
class Query:
    """The search text that a caller typed. *words* are the words to search for. *app* is the id of the application that the text names. If
    the text is a question or an order that names no application, and the caller can see exactly one application, *app* is the id of that
    application. *is_order* is true if the text asks to provision somebody.
    """

    text: str
    words: Sequence[str]
    app: str = ""
    is_question: bool = False
    is_order: bool = False


@dataclass(frozen=True, slots=True)
class ApplicationHit:
    """An application that the search found."""

    id: str
    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a search. *is_more* is true if more people were found than are listed.

    If the text names no application, *others* contains the first applications that the caller can see, because the caller may have meant
    one of them.
    """

    query: Query
    people: Sequence[PersonHit] = ()
    groups: Sequence[GroupHit] = ()
    applications: Sequence[ApplicationHit] = ()
    log: Sequence[LogRow] = ()
    is_more: bool = False
    others: Sequence[ApplicationHit] = ()

    @property
    def asked(self) -> ApplicationHit | None:
        """Return the application that the search is about, or None if the search is about no particular application. For example, the text
        "anna documo" is about Documo.
        """
        return next((one for one in self.applications if one.id == self.query.app), None)

    @property
    def answer(self) -> tuple[PersonHit, ApplicationHit] | None:
        """Return the person and the application that the search is about. Returns None if the search is about no particular application, or
        if it found no person or several people.
        """
        app = self.asked
        return (self.people[0], app) if app is not None and len(self.people) == 1 else None


@needs(Permission.DIRECTORY_READ)
async def find(context: Context, text: str, *, with_log: bool = True) -> Found:
    """Return the first matches of *text* of each kind. Applications and log records that the caller may not read are left out."""
    async with context.reading() as connection:
        visible = [
            one
            for one in await applications.list_applications(connection)
            if context.actor.may(Permission.APPLICATIONS_READ, one.id)
        ]
        query = read_query(text, visible)
        if not query.words:
            return Found(query, applications=_applications(query, visible))
        people = await search.find_people(connection, query.words, limit=MOST_SHOWN + 1)
        groups = [] if query.app else await search.find_groups(connection, query.words, limit=MOST_SHOWN)
        records: list[LogRow] = []
        actor = context.actor
        reads_log = Permission.LOGS_READ in {*actor.permissions, *actor.own_permissions}
        if with_log and reads_log and not query.is_question and len(query.text) >= _SHORTEST:
            wanted = LogFilter(change_id=query.text.lower()) if as_id(query.text) else LogFilter(text=query.text)
            if not actor.everywhere(Permission.LOGS_READ):
                wanted = replace(wanted, apps=sorted(actor.own_applications))
            records = await provisioning_log.read_log(connection, wanted, limit=MOST_SHOWN)
    named = _applications(query, visible)
    return Found(
        query,
        people[:MOST_SHOWN],
        groups,
        named,
        records,
        is_more=len(people) > MOST_SHOWN,
        others=[] if named else [_hit(one) for one in visible[:MOST_SHOWN]],
    )


def read_query(text: str, visible: Sequence[ApplicationRow]) -> Query:
    """Parse what a person typed. In a question or an order, words such as "why" are left out. If nothing else remains, all words
    are kept.
    """
    text = " ".join(text.replace("\0", "").replace("’", "'").split())
    words = [_bare(word) for word in _WORD.findall(text)][:_MOST_WORDS]
    words = [word for word in words if word]
    is_question = text.endswith("?") or (len(words) > 1 and words[0].lower() in _QUESTIONS)
    is_order = len(words) > 1 and words[0].lower() in _ORDERS
    app, rest = _named(words[is_order:], visible, by_beginning=is_question or is_order)
    if is_question or is_order:
        rest = [word for word in rest if word.lower() not in _FILLERS]
        if app is None and rest and len(visible) == 1:
            app = visible[0]
    if not rest and not (app and is_question):  # only the name of an application, which may also be the name of a group
        return Query(text, words, is_question=is_question)
    return Query(text, rest, app.id if app is not None else "", is_question, is_order)


def _bare(word: str) -> str:
    """Return *word* without the punctuation of a sentence: "Anna's" becomes "Anna", and "Documo." becomes "Documo"."""
    word = word.strip(".:'")
    return word.removesuffix("'s") if len(word) > len("'s") else word


def _named(
    words: Sequence[str], visible: Sequence[ApplicationRow], *, by_beginning: bool
) -> tuple[ApplicationRow | None, list[str]]:
    """Return the application whose whole name is among *words*, and the remaining words. If no application has such a name and
    *by_beginning* is true, return the application whose name begins with one of the words.
    """
    folded = [_folded(word) for word in words]
    for is_whole in (True, False) if by_beginning else (True,):
        for app in sorted(visible, key=lambda one: len(one.display_name), reverse=True):
            for name in (app.display_name, app.name):
                parts = _folded(name).split()
                size = len(parts) if is_whole else 1
                for start in range(len(folded) - size + 1):
                    given = folded[start : start + size]
                    begins = len(given[0]) >= _SHORTEST and given[0] not in _FILLERS and parts[0].startswith(given[0])
                    if given == parts or (not is_whole and begins):
                        return app, [*words[:start], *words[start + size :]]
    return None, list(words)


def _applications(query: Query, visible: Sequence[ApplicationRow]) -> list[ApplicationHit]:
    """Return the application that the query names. If it names none, return the applications whose names contain all words."""
    words = [_folded(word) for word in query.words]
    return [
        _hit(one)
        for one in visible
        if one.id == query.app
        or (not query.app and all(word in f"{_folded(one.display_name)} {_folded(one.name)}" for word in words))
    ][:MOST_SHOWN]


def _hit(row: ApplicationRow) -> ApplicationHit:
    return ApplicationHit(row.id, row.name, row.display_name)


def _folded(text: str) -> str:
    """Return *text* in lower case without accents."""
    return "".join(one for one in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(one))
