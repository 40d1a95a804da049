"""An independent checker of certificates: knows neither the translator nor the search."""
