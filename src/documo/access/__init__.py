"""Authentication: API keys, tokens of trusted issuers, members' sign-ins, and the limits on refused sign-ins."""
