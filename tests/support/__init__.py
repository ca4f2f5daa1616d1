"""What several rooms of tests share; a test imports it as `tests.support.NAME`."""
