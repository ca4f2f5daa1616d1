"""The hub: rules of people, groups, effective membership, app roles and assignments. Every change marks who is touched."""
