"""A Django site with the accounts and groups that django-scim2 offers, set up as its documentation says."""
