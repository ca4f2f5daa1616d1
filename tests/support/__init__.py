"""Code that several test packages share; a test imports it as `tests.support.NAME`."""
