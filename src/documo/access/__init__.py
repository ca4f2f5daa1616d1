"""Who may call: API keys, tokens of trusted issuers, sign-in attempts."""
