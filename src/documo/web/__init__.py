"""Documo's pages, on the kit that the admin centre uses."""
