"""Networks on disk: the catalogue, what of it is installed, and how more is fetched or imported."""
