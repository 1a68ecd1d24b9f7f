"""What Alembic runs: within the transaction of the connection that ``upgrades.py`` hands over."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    # SQLite's too: an upgrade that fails leaves the database as it was.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
