"""Documo's pages. They use the component kit of the admin centre."""
