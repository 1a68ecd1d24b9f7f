"""The ``kitaru`` command: a face of the client."""
