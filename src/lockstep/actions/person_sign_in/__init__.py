"""Sign-in of people of the directory to Lockstep, and through Lockstep to applications."""
