"""Monitoring has no tables yet: health lives in the breaker, numbers in /metrics and the request records."""
