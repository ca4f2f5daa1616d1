"""What happens around the work of a cycle: open it, prepare it, judge the job, close it."""
