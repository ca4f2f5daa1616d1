"""The revisions of Lockstep's own database."""
