"""The parts of a trial that are specific to OpenID Connect: the conditions, the request, the ID token, the refusals, and the responses to
real attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

import orjson

from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.actions.single_sign_on.claims import AssertionClaims
from lockstep.actions.single_sign_on.refusals import SignOnRefusal
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.actions.single_sign_on.trial_parts import SignInCondition, TrialParts
from lockstep.openid.claims import released
from lockstep.openid.discovery import AUTHORIZE
from lockstep.openid.faults import RefusalReason
from lockstep.openid.requests import OFFLINE, SCOPES
from lockstep.openid.tokens import ID_TOKEN_VALID
from lockstep.postgres.pool import Connection
from lockstep.saml.showing import MessagePart
from lockstep.storage import client_secrets, openid_grants, openid_keys
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.openid_grants import CodeUse
from lockstep.storage.sign_in_log import SUCCESS, SignInRow

# Refusals that are not reported to the application, because the response has no safe address or the reason is not for it.
_SHOWN = (
    RefusalReason.UNKNOWN_CLIENT, RefusalReason.UNKNOWN_REDIRECT_URI, RefusalReason.REPEATED_PARAMETER, RefusalReason.TOO_LONG,
    RefusalReason.NOT_ASSIGNED, RefusalReason.APPLICATION_DISABLED, SignInCode.CLAIMS_UNUSABLE,
)  # fmt: skip


async def openid_parts(
    connection: Connection, view: SignOnView, claims: AssertionClaims, *, issuer: str, now: datetime
) -> TrialParts:
    """Return the parts of a trial that are specific to OpenID Connect."""
    app, openid = view.application, view.settings.openid
    keys = await openid_keys.read_keys(connection)
    ready = [
        SignInCondition(
            "A signing key is active",
            any(one.state == openid_keys.ACTIVE for one in keys),
            "Create one: lockstep sso keys roll",
        )
    ]
    if not openid.is_public:
        secrets = await client_secrets.read_secrets(connection, app.id)
        ready.append(
            SignInCondition(
                f"{app.display_name} has a client secret that has not expired",
                any(one.expires_at > now for one in secrets),
                f"Make one: lockstep sso secrets new {app.name}",
            )
        )
    token = _id_token(view, issuer, claims, now)
    return TrialParts(
        SignInCondition("OpenID Connect is the single sign-on method", holds=True),
        ready,
        issuer,
        app.id,
        openid.redirect_uris[0],
        _request(view, issuer),
        (MessagePart(token, is_signed=False),) if token else (),
        _refusals(view),
    )


async def openid_answers(
    connection: Connection, app: ApplicationRow, rows: Sequence[SignInRow], *, now: datetime
) -> dict[str, str]:
    """Describe Lockstep's response to each of these attempts. The keys of the result are the ids of the records.

    If the response was a code, the text also says whether the application has exchanged the code for tokens. An application that rejects
    the response does not exchange the code.
    """
    codes = await openid_grants.codes_of_sign_ins(connection, app.id, [row.id for row in rows])
    return {row.id: _answer(row, app.display_name, codes.get(row.id), now) for row in rows}


def _answer(row: SignInRow, app: str, code: CodeUse | None, now: datetime) -> str:
    if row.result != SUCCESS:
        return "No response: the person saw a page of Lockstep" if row.code in _SHOWN else "An error"
    if code is None:
        return "A code"
    if code.is_exchanged:
        return f"A code, which {app} exchanged for tokens"
    if now < code.expires_at:
        return f"A code, which {app} has not exchanged for tokens yet"
    return f"A code, which {app} did not exchange for tokens: it rejected the response. Look for state, nonce or a lost cookie in its log"


def _request(view: SignOnView, issuer: str) -> str:
    """Return an example of the address to which the application sends the browser. The request asks for all scopes except offline access.
    "..." stands for values that differ each time.
    """
    openid = view.settings.openid
    query = {
        "client_id": view.application.id,
        "redirect_uri": openid.redirect_uris[0],
        "response_type": "code",
        "scope": " ".join(one for one in SCOPES if one != OFFLINE),
        "state": "...",
        "nonce": "...",
        "code_challenge": "...",
        "code_challenge_method": "S256",
    }
    return f"{issuer}{AUTHORIZE}?{urlencode(query, safe='.')}"


def _id_token(view: SignOnView, issuer: str, claims: AssertionClaims, now: datetime) -> str:
    """Return, as unsigned JSON, the payload of the ID token for a request with all scopes; "" if no payload can be made."""
    if not claims.name_id or claims.problems:
        return ""
    payload = {
        "iss": issuer,
        "aud": view.application.id,
        "sub": claims.name_id,
        "exp": int((now + ID_TOKEN_VALID).timestamp()),
        **released(claims.attributes, claims.groups, SCOPES),
    }
    return orjson.dumps(payload, option=orjson.OPT_INDENT_2).decode()


def _refusals(view: SignOnView) -> list[SignOnRefusal]:
    """Return the kinds of requests that are refused, in the order of the checks."""
    openid, name = view.settings.openid, view.application.display_name
    found = [
        SignOnRefusal(
            f"A request with a redirect_uri other than {' or '.join(openid.redirect_uris)}",
            RefusalReason.UNKNOWN_REDIRECT_URI,
        ),
        SignOnRefusal(
            "A request for tokens without a code (response_type other than code)", RefusalReason.WRONG_RESPONSE_TYPE
        ),
        SignOnRefusal("A request without the scope openid", RefusalReason.NO_OPENID_SCOPE),
    ]
    if openid.is_public or openid.needs_pkce:
        found.append(SignOnRefusal("A request without a code challenge (PKCE)", RefusalReason.PKCE_MISSING))
    found += [
        SignOnRefusal("A code challenge with a method other than S256", RefusalReason.PKCE_NOT_S256),
        SignOnRefusal(
            "A request that does not allow a sign-in page (prompt=none), while nobody is signed in",
            RefusalReason.NO_PASSIVE,
        ),
    ]
    if view.settings.assignment_required:
        found.append(SignOnRefusal("Everybody who is not assigned", RefusalReason.NOT_ASSIGNED))
    if not openid.is_public:
        found.append(SignOnRefusal(f"A code from {name} with a wrong client secret", RefusalReason.WRONG_CLIENT_SECRET))
    found += [
        SignOnRefusal("A code that is older than a minute", RefusalReason.CODE_EXPIRED),
        SignOnRefusal("A code or a refresh token that was used before", RefusalReason.CODE_USED),
    ]
    return found
