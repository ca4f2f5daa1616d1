"""Functions for the process as a whole: memory management, log lines and reports of bugs."""
