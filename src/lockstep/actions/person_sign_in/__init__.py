"""People of the directory sign in to Lockstep, and through it to applications."""
