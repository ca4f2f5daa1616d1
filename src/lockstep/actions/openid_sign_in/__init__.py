"""Sign-in of people to applications by OpenID Connect: requests, tokens, user info, signing out."""
