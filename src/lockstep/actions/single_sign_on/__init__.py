"""People sign in to applications through Lockstep: the settings of each application, and what an assertion about a person says."""
