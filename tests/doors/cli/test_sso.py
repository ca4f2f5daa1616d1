"""`lockstep sso`: an operator sets up single sign-on of an application from a terminal."""

from __future__ import annotations

from pathlib import Path

from lockstep.saml.certificates import certificates_in
from lockstep.saml.metadata import SpMetadata, read_idp_metadata, write_sp_metadata
from tests.support.command_line import Lockstep
from tests.support.hub import upn

AT = "https://id.contoso.test"


def test_operator_sets_single_sign_on_up_and_gives_the_application_what_it_needs(connected: Lockstep) -> None:
    unknown = connected("sso", "show", "documo")
    assert connected("sso", "address", AT).out.strip() == AT
    made = connected("sso", "set", "documo", "--mode", "saml", "--name-id", "Join([mailNickname], [userPrincipalName])")
    claim = connected("sso", "claims", "set", "documo", "team", "--source", "department", "-o", "json").json
    tried = connected("sso", "test", "documo", "--user", upn("anna"))
    refused = connected("sso", "set", "documo", "--reply-url", "http://docs.test/acs")

    assert "lockstep sso address" in unknown.err
    assert f"{AT}/saml2/documo/sso" in made.out
    assert "Join([mailNickname], [userPrincipalName])" in made.out
    assert {"name": "team", "source": "department"} in claim["singleSignOn"]["claims"]
    assert f"{upn('anna')}: can sign in" in tried.out
    assert "team: Sales" in tried.out
    assert (refused.code, "https://" in refused.err) == (64, True)


def test_metadata_is_refused_while_its_addresses_would_be_incomplete(connected: Lockstep) -> None:
    connected("sso", "set", "documo", "--mode", "saml")
    refused = connected("sso", "metadata", "documo")
    connected("sso", "address", AT)
    printed = connected("sso", "metadata", "documo")

    assert (refused.code != 0, refused.out) == (True, "")
    assert "lockstep sso address https://id.contoso.com" in refused.err
    assert f'entityID="{AT}/saml2/documo/metadata"' in printed.out


def test_options_change_nothing_that_is_not_given(connected: Lockstep) -> None:
    def shown(*options: str) -> str:
        return str(connected("sso", "set", "documo", "--mode", "saml", *options).out)

    assert "[mail] (emailAddress)" in shown("--name-id", "mail")
    assert "[mail] (unspecified)" in shown("--name-id-format", "unspecified")
    assert "[employeeId] (unspecified)" in shown("--name-id", "employeeId")
    assert "requestCertificates" in connected("sso", "set", "documo", "--verify").err


def test_operator_rolls_the_certificate_in_two_steps(connected: Lockstep) -> None:
    connected("sso", "address", AT)
    connected("sso", "set", "documo", "--mode", "saml")
    [first] = connected("sso", "certs", "list", "documo", "-o", "json").json["items"]
    rows = connected("sso", "certs", "new", "documo", "-o", "json").json["items"]
    [second] = [one for one in rows if one["thumbprint"] != first["thumbprint"]]
    metadata = connected("sso", "metadata", "documo").out

    assert connected("sso", "certs", "activate", "documo", second["thumbprint"][:10], "--yes").code == 0

    assert len(read_idp_metadata(metadata.encode()).certificates) == 2
    downloaded = certificates_in(connected("sso", "certs", "download", "documo").out)
    assert [one.thumbprint for one in downloaded] == [second["thumbprint"]]
    asked = connected("sso", "certs", "remove", "documo", first["thumbprint"][:10])
    unknown = connected("sso", "certs", "remove", "documo", "none")
    assert (asked.code, f"{first['thumbprint']} cannot be restored" in asked.err, "--yes" in asked.err) == (
        64,
        True,
        True,
    )
    assert (unknown.code != 0, "cannot be restored" in unknown.err) == (True, False)
    assert len(connected("sso", "certs", "list", "documo", "-o", "json").json["items"]) == 2
    assert connected("sso", "certs", "remove", "documo", first["thumbprint"], "--yes").code == 0


def test_first_certificate_is_used_at_once_and_the_next_one_only_when_it_is_activated(connected: Lockstep) -> None:
    connected("sso", "address", AT)

    first, second = (connected("sso", "certs", "new", "documo").err for _ in range(2))

    assert "Lockstep signs with it now" in first and "activate" not in first
    assert "lockstep sso certs activate documo THUMBPRINT" in second


def test_metadata_of_the_application_is_imported_from_a_file(connected: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "documo.xml"
    file.write_bytes(write_sp_metadata(SpMetadata("urn:docs", ["https://docs.test/acs"])))

    imported = connected("sso", "import", "documo", str(file), "-o", "json").json

    assert imported["singleSignOn"]["identifiers"] == ["urn:docs"]
    assert imported["singleSignOn"]["replyUrls"] == ["https://docs.test/acs"]


def test_operator_sets_openid_connect_up_and_reads_its_own_labels(connected: Lockstep) -> None:
    connected("sso", "address", AT)
    first, second = "https://docs.test/callback", "https://docs.test/other"
    made = connected("sso", "oidc", "documo", "--redirect-uri", first, "--redirect-uri", second, "--require-pkce")
    secret = connected("sso", "secrets", "new", "documo", "-o", "json").json
    shown = connected("sso", "show", "documo").out
    claims = connected("sso", "claims", "list", "documo").out
    tried = connected("sso", "test", "documo", "--user", upn("anna"), "--messages").out

    assert (shown, connected("sso", "show", "documo", "-o", "json").json["clientId"]) == (made.out, secret["clientId"])
    assert f"  Redirect URI                       {first}\n                                     {second}\n" in shown
    assert f"Token endpoint                     {AT}/oauth2/token" in shown
    assert "confidential; PKCE is required" in shown
    assert "Entity ID" not in shown and "signing certificates" not in shown
    assert "preferred_username" in claims and "schemas.xmlsoap.org" not in claims
    assert f"client ID     {secret['clientId']}" in tried
    assert '"iss": "https://id.contoso.test"' in tried
    assert "Name ID" not in tried
    explained = connected("sso", "test", "documo", "--error", "WrongIdTokenHint").out.splitlines()[-1]
    assert f"In Lockstep: {AT} (discovery: {AT}/.well-known/openid-configuration). Configure " in explained


def test_refusal_names_the_option_that_is_wrong(connected: Lockstep) -> None:
    missing = connected("sso", "oidc", "documo")
    wrong = connected("sso", "oidc", "documo", "--redirect-uri", "http://docs.test/callback")
    long = connected("sso", "oidc", "documo", "--redirect-uri", "https://docs.test/cb", "--access-minutes", "99999")

    assert "--redirect-uri: is missing" in missing.err
    assert "--redirect-uri: must begin with https://" in wrong.err
    assert "--access-minutes" in long.err
    assert "openIdConnect" not in missing.err + wrong.err + long.err
