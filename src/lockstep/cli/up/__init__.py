"""`lockstep up` and its check: both products on this machine, from nothing to the first green cycle."""
