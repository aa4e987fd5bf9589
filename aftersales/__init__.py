"""After-sales tickets of Chinese shops: whose turn it is, by when, by which clause, and what happens then."""

__version__ = "0.1.0"
