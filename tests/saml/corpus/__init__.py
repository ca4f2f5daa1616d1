"""Hostile responses: how each is made, and the reason for which it is refused.

A case is built from a good response, so nothing but its own fault is wrong with it. Where only an identity provider could make the
fault (a wrong audience, a weak algorithm), the signature is genuine.
"""

from __future__ import annotations

from tests.saml.corpus import documents, encryption, keys, signatures, statements
from tests.saml.corpus.building import CASES, Case

__all__ = ["CASES", "Case", "documents", "encryption", "keys", "signatures", "statements"]
