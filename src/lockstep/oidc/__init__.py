"""OpenID Connect as a client: discovery, the authorization code flow with PKCE, and the checks of an ID token. Independent of
administrators.
"""
