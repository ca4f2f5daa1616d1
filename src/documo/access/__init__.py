"""Who may call: API keys, tokens of trusted issuers, refused sign-ins."""
