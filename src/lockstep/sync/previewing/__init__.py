"""Preview a whole application: plan everything that a full cycle looks at, and write nothing except the preview."""
