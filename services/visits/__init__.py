"""Requests of foreign ministries for delegation visits: taken in, decided, seen through."""
