"""The ways in which requests to an application can be authenticated, with their names in configurations. Secrets are kept elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AuthenticationMethod(StrEnum):
    """The ways to authenticate requests to an application. The values are stored, and configuration files use the same values."""

    BEARER = "bearer"
    CLIENT_CREDENTIALS = "oauth2ClientCredentials"
    BASIC = "basic"


@dataclass(frozen=True, slots=True)
class Authentication:
    """An authentication method and its parameters. *client_id* is the client's id, or the user name for Basic. For client credentials,
    *token_url* is the address that issues tokens, and *scope* is the scope to request.
    """

    method: AuthenticationMethod = AuthenticationMethod.BEARER
    client_id: str = ""
    token_url: str = ""
    scope: str = ""


BEARER_TOKEN = Authentication()
