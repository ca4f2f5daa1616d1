"""The migrations of Documo's database. `lockstep.postgres.migrate` applies them at start."""
