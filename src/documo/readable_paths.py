"""Paths of requests in a readable form, in which the query is not escaped. The log keeps each path as the client sent it."""

from __future__ import annotations

from urllib.parse import quote, quote_plus, unquote_plus

_LITERAL = "/?=&,.:@$"  # characters that clients leave unescaped in a query


def readable_path(path: str) -> str:
    """Return *path* with its query unescaped. A query that hides characters, such as a line break, stays escaped."""
    name, mark, query = path.partition("?")
    shown = unquote_plus(query)
    return f"{name}{mark}{shown if shown.isprintable() else query}"


def written_forms(text: str) -> list[str]:
    """Return the forms, in lower case, in which clients may have written *text* in a path: as it is, and percent-encoded in several ways.
    For example, a space may be written as `%20` or `+`.
    """
    forms = (text, quote(text, safe=_LITERAL), quote(text, safe=""), quote_plus(text, safe=_LITERAL))
    return list(dict.fromkeys(form.lower() for form in forms))
