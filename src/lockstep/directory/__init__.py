"""The directory: rules for people, groups, effective membership, app roles and assignments. Every change marks the affected objects."""
