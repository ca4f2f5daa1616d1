"""Everything a person may ask for, once: permission first, audit entry last. Doors only translate."""
