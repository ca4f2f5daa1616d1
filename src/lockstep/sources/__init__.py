"""Where people and groups come from: each module turns an outside directory into passes for the hub."""
