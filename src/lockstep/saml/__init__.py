"""SAML 2.0 as functions, for both sides: Documo accepts assertions (service provider), Lockstep issues them (identity provider).

The package uses no database, socket or clock: callers pass the time as `now`, and random values come only from `identifiers`. It does not
depend on members or accounts. A refused message raises `faults.SamlFault` with a code for each check, and what was expected and received.
The modules:

faults          SamlFault, FaultCode
xml             parse(bytes): the one hardened parser
certificates    Certificate, certificates_in(text), SigningKey, new_signing_key(subject, now=)
signatures      sign_element, verified, Legacy: an enveloped signature, and the element that it covers
encryption      encrypt_element, decrypted
requests        AuthnRequest, write_authn_request, read_authn_request
responses       Assertion, Signing, signed_response, failed_response
accepting       ResponseRequirements, accept -> AcceptedResponse; read_envelope(response) -> Envelope, to choose what to expect
bindings        redirect_url, read_redirect, post_fields, read_post -> ReceivedMessage; own_reference(relay_state)
logout          LogoutRequest, LogoutResponse, write_logout_request, read_logout_request, write_logout_response, read_logout_response
showing         readable, without_signatures, signed_parts: messages for display
metadata        IdpMetadata, SpMetadata, write_idp_metadata, read_idp_metadata, write_sp_metadata, read_sp_metadata

Sources: SAML 2.0 core, bindings, profiles and metadata (OASIS, March 2005, with errata of 2012); XML Signature 1.1; XML Encryption 1.1.
"""
