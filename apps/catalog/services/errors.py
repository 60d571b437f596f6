"""What a service of the catalogue refuses."""


class CatalogError(Exception):
    """A value that cannot be taken. ``field`` names it as its argument is named; the message reads on from there:
    ``base_url`` + ``must be …``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message
