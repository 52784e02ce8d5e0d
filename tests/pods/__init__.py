"""Pods: the store, what is in it, and what strangers may put there."""
