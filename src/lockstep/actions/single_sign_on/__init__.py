"""Single sign-on of people to applications through Lockstep: the settings of each application, and the claims about a person."""
