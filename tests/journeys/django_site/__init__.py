"""A Django site with the accounts and groups that django-scim2 offers, as somebody makes it who follows its documentation."""
