"""The sources of people and groups. Each module reads one kind of external list. The import then writes the results to the directory."""
