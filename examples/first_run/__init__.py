"""The first run: a flow that is killed, resumed, waits, is answered, and completes."""
