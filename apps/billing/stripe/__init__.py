"""Stripe: the one client, and what its objects say about our orders."""
