"""The rules of an OpenID Connect provider as functions: requests, codes, PKCE, client authentication, tokens, discovery."""
