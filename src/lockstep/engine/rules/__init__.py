"""The configuration of a job as values: scope, mappings, conditions, roles and limits. Pure."""
