"""Streams, and what else brings trials to a learner."""
