"""Where people and groups come from: each module turns an external directory into passes for the import."""
