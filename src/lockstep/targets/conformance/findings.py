"""The errors that a check raises if it does not pass."""

from __future__ import annotations


class ConformanceFinding(Exception):
    """Raised by a check that does not pass. Its text is one sentence without a full stop."""


class Broken(ConformanceFinding):
    """Raised if the client would fail with this response."""


class Doubtful(ConformanceFinding):
    """Raised if the client copes with the response, but the specification or good practice requires a different one."""


class UnsupportedByServer(ConformanceFinding):
    """Raised if the server does not offer the feature and says so correctly, so that there is nothing to check."""
