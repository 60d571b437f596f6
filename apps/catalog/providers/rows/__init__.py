"""The rows, by what the company does. ``registry`` puts them together."""
