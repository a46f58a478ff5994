"""Measurements that `wafd bench` runs."""
