"""The beginning and end of cycles: open a cycle, prepare it, judge the job's health, close the cycle."""
