"""What a configuration says: scope, mappings, conditions, roles and limits as values. Pure."""
