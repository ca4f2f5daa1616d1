"""Make the plan for one object, from the list of accounts that was read before or by asking the application."""
