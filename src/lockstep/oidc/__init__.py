"""An OpenID Connect client: discovery, the authorization code flow with PKCE, and the checks of an ID token. Independent of
administrators.
"""
