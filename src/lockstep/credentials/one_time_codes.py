"""Codes of a second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import pyotp

RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without characters that look alike
_STEP = timedelta(seconds=30)


def new_seed() -> str:
    """Return a random seed in the form that an authenticator app reads."""
    return pyotp.random_base32()


def address_of_seed(seed: str, *, name: str, issuer: str) -> str:
    """Return the `otpauth:` URI for a seed. An authenticator app reads this URI from a QR code."""
    return pyotp.TOTP(seed).provisioning_uri(name=name, issuer_name=issuer)


def matching_step(seed: str, code: str, now: datetime) -> int | None:
    """Return the time step of *code*, or None if the code is not valid now. Codes of the adjacent steps are valid too, because clocks
    differ (RFC 6238, section 5.2).
    """
    totp = pyotp.TOTP(seed)
    steps = (int((now + offset).timestamp()) // int(_STEP.total_seconds()) for offset in (-_STEP, _STEP * 0, _STEP))
    matching = [step for step in steps if pyotp.utils.strings_equal(totp.generate_otp(step), code)]
    return matching[0] if matching else None


def new_recovery_codes() -> list[str]:
    """Return new recovery codes. Each can be entered once in place of a code of the app. They are shown with `in_groups`, and stored as
    hashes.
    """
    return ["".join(secrets.choice(_LETTERS) for _ in range(16)) for _ in range(RECOVERY_CODES)]


def in_groups(code: str) -> str:
    """Format a recovery code for display."""
    return "-".join(code[at : at + 4] for at in range(0, 16, 4))


def as_entered(code: str) -> str:
    """Normalize a code before it is compared, because people type spaces, hyphens and capital letters."""
    return "".join(code.split()).replace("-", "").lower()
