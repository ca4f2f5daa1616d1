"""An identity provider in a test: answers requests of Documo, and sends responses that Documo did not request."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from lockstep.saml.bindings import ReceivedMessage, read_redirect, redirect_url
from lockstep.saml.certificates import Certificate, SigningKey, new_signing_key
from lockstep.saml.identifiers import new_id
from lockstep.saml.logout import LogoutRequest, write_logout_request
from lockstep.saml.metadata import IdpMetadata, write_idp_metadata
from lockstep.saml.names import Binding, NameIdFormat
from lockstep.saml.requests import AuthnRequest, read_authn_request
from lockstep.saml.responses import Assertion, Signing, signed_response

SIGN_IN_URL = "https://login.contoso.example/saml2"
LOGOUT_URL = "https://login.contoso.example/logout"
ENTITY_ID = "https://sts.contoso.example/1/"


@cache
def key_named(name: str) -> SigningKey:
    """Return the key called *name*. Keys are cached, because creating one takes a tenth of a second."""
    return new_signing_key(name, now=datetime.now(UTC) - timedelta(days=1))


@dataclass(frozen=True)
class Asked:
    """A request of Documo, as contained in the page that leads to the provider."""

    request: AuthnRequest
    relay_state: str
    url: str


@dataclass
class Provider:
    """An identity provider that signs with *key*. *address* is where the service accepts responses: its entity ID followed by /assert."""

    audience: str
    entity_id: str = ENTITY_ID
    key: SigningKey = field(default_factory=lambda: key_named("contoso"))

    @property
    def certificate(self) -> Certificate:
        return self.key.certificate

    def asked_on(self, page: str, *, certificates: Sequence[Certificate] = ()) -> Asked:
        """Return the request that is on the page which sends the browser to this provider."""
        found = re.search(r'href="(https://login\.contoso\.example/saml2[^"]*)"', page)
        assert found is not None, page
        url = html.unescape(found[1])
        incoming = read_redirect(urlsplit(url).query, certificates=certificates)
        return Asked(read_authn_request(incoming.message), incoming.relay_state, url)

    def response(
        self,
        name_id: str,
        *,
        asked: Asked | None = None,
        attributes: Mapping[str, Sequence[str]] | None = None,
        signing: Signing = Signing.ASSERTION,
        encrypt_to: Certificate | None = None,
        now: datetime | None = None,
        **changed: Any,
    ) -> dict[str, str]:
        """Return the form that the browser sends back to Documo. *changed* replaces fields of the assertion."""
        assertion = Assertion(
            **{
                "issuer": self.entity_id,
                "audience": self.audience,
                "recipient": f"{self.audience}/assert",
                "name_id": name_id,
                "name_id_format": NameIdFormat.EMAIL_ADDRESS,
                "issued_at": now or datetime.now(UTC),
                "attributes": attributes or {},
                "in_response_to": asked.request.id if asked else "",
                "session_index": "_session1",
                **changed,
            }
        )
        xml = signed_response(assertion, self.key, signing=signing, encrypt_to=encrypt_to)
        form = {"SAMLResponse": base64.b64encode(xml).decode()}
        return form | ({"RelayState": asked.relay_state} if asked else {})

    def logout_request(self, name_id: str, *, key: SigningKey | None, session_indexes: Sequence[str] = ()) -> str:
        """The address that asks Documo to end the person's sessions."""
        request = LogoutRequest(
            new_id(), self.entity_id, f"{self.audience}/saml/logout", datetime.now(UTC), name_id,
            session_indexes=tuple(session_indexes),
        )  # fmt: skip
        return redirect_url(
            request.destination, message=write_logout_request(request), field="SAMLRequest", relay_state="r", key=key
        )

    def metadata(self, *, valid_until: datetime | None = None) -> bytes:
        return write_idp_metadata(
            IdpMetadata(
                self.entity_id,
                {Binding.REDIRECT: SIGN_IN_URL},
                certificates=[self.certificate],
                valid_until=valid_until,
            )
        )


def logout_on(page: str, *, certificates: Sequence[Certificate] = ()) -> ReceivedMessage:
    """Return the logout message in *page*, which is a page or an address. If *certificates* are given, the message must be signed with the
    key of one of them.
    """
    found = re.search(r'(https://login\.contoso\.example/logout\?[^"]*)', page)
    assert found is not None, page
    return read_redirect(urlsplit(html.unescape(found[1])).query, certificates=certificates)
