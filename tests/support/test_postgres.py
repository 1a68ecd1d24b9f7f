import psycopg
import pytest

from tests.support.postgres import DatabaseFactory, PostgresServer


def test_a_database_is_the_tests_own_and_durable(
    postgres_url: str, postgres_database: DatabaseFactory
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE kept (x int)")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}".encode()).fetchone() == ("on",)
    with psycopg.connect(postgres_database()) as other:
        assert other.execute("SELECT to_regclass('kept')").fetchone() == (None,)


@pytest.mark.parametrize("crash", [False, True])
def test_what_was_committed_is_there_after_a_restart(
    postgres_server: PostgresServer, postgres_url: str, crash: bool
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
    postgres_server.restart(crash=crash)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (1,)
