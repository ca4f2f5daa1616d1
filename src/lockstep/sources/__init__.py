"""The sources of people and groups. Each module reads one kind of external list. The import writes what was read to the directory."""
