"""Make the plan for one object. The data about accounts comes from a list that was read earlier, or from requests to the application."""
