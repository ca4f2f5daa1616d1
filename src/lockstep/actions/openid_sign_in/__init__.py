"""Sign people in to applications by OpenID Connect: requests, tokens, user info, signing out."""
