"""The directory: the rules for people, groups, effective membership, app roles and assignments.

Every change marks the objects that it affects as dirty, so that cycles provision them.
"""
