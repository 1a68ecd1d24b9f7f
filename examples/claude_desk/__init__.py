"""An agent whose session and files travel, and whose tools need a person's yes."""
