"""PKCE (RFC 7636), only with S256: with `plain`, anybody who sees the request learns the verifier."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from lockstep.openid.faults import OAuthError, OAuthFault, RefusalReason

METHOD = "S256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def checked_challenge(challenge: str, method: str, *, is_needed: bool) -> str:
    """Return the challenge of a request, or "" if it has none.

    Raises OAuthFault if the method is not S256, if the challenge is malformed, or if *is_needed* is true and there is no challenge.
    """
    if not challenge and not method:
        if is_needed:
            raise _refused(RefusalReason.PKCE_MISSING, "code_challenge is missing: the application must use PKCE")
        return ""
    if method != METHOD:
        # Without a method, RFC 7636 assumes plain.
        raise _refused(RefusalReason.PKCE_NOT_S256, f"code_challenge_method must be {METHOD}")
    if not _CHALLENGE.fullmatch(challenge):
        raise _refused(
            RefusalReason.PKCE_MALFORMED, "code_challenge must be a SHA-256 hash in base64url, 43 characters"
        )
    return challenge


def check_verifier(verifier: str, challenge: str) -> None:
    """Raise OAuthFault unless *verifier* matches *challenge*, or both are empty. A verifier without a challenge is refused, because an
    attacker may have removed the challenge from the request (RFC 9700, section 4.8.2).
    """
    if not challenge:
        if verifier:
            raise _not_granted(
                RefusalReason.PKCE_NOT_BEGUN, "code_verifier was sent, but the request had no code_challenge"
            )
        return
    if not verifier:
        raise _not_granted(RefusalReason.PKCE_MISSING, "code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier):
        raise _not_granted(RefusalReason.PKCE_MALFORMED, "code_verifier must have 43 to 128 unreserved characters")
    digest = hashlib.sha256(verifier.encode()).digest()
    if not hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge):
        raise _not_granted(RefusalReason.PKCE_WRONG, "code_verifier does not match the code_challenge")


def _refused(reason: RefusalReason, detail: str) -> OAuthFault:
    return OAuthFault(OAuthError.INVALID_REQUEST, reason, detail)


def _not_granted(reason: RefusalReason, detail: str) -> OAuthFault:
    return OAuthFault(OAuthError.INVALID_GRANT, reason, detail)
