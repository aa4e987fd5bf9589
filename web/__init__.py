"""The web: what people see of the desk, and the forms by which they come to its one door."""
