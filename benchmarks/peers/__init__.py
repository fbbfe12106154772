"""The same job, done in the ways that this project is the alternative to."""
