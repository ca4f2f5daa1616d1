"""Preview a whole application: plan every object that a full cycle evaluates, and write nothing except the preview."""
