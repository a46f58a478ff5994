"""Programmes measured: made-up Centres, years of requests, and an independent check of each answer."""
