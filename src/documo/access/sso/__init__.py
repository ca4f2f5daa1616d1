"""Members sign in through their company's identity provider: Documo as a service provider of SAML 2.0. `lockstep.saml` decides whether a
message is valid. Map:

providers     the identity provider of an account, as its Admins set it up or its metadata says
own_keys      the account's own keys, and how they are rolled
addresses     the entity ID and the reply URL of an account
asking        a request to the provider
requests      requests under way: sealed, and not stored
answering     the provider's response: whose it is, whom it signs in
noting        the account's list of how sign-ins ended
collecting    the browser that began the sign-in gets its session, or the Admin the result of a test
leaving       single logout
refreshing    metadata of providers is read again each day
"""
