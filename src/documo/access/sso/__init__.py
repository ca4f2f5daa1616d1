"""Sign members in through their company's identity provider: Documo is a service provider of SAML 2.0. `lockstep.saml` decides whether a
message is valid.

providers     the identity provider of an account, as its Admins or its metadata describe it
own_keys      the account's own keys, and how they are replaced
addresses     the entity ID and the reply URL of an account
asking        a request to the provider
requests      requests in progress, which are not stored: their authenticated IDs contain all data
answering     the provider's response: the account that it is for, and the person that it signs in
noting        the account's list of the results of sign-ins
collecting    the session for the browser that began the sign-in, or the result of an Admin's test
leaving       single logout
refreshing    the daily refresh of providers' metadata
"""
