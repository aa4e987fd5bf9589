"""One file per page, or per family of pages."""
