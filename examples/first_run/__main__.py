"""Kill a flow with SIGKILL, resume it by its id, answer its question, and count what ran."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SOURCES = 6
KILL_AFTER = 3
DEADLINE = 60


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Look until the condition holds; give up loudly."""
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"gave up waiting for {what}")
        time.sleep(0.05)


def say(line: str) -> None:
    """One step of the story."""
    print(line, flush=True)


def main() -> None:
    """Tell the story step by step; exits with 1 when something does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        run_in(Path(folder))


def run_in(folder: Path) -> None:
    """The whole run, with all state in one folder."""
    environment = {
        **os.environ,
        "KITARU_CONFIG_PATH": str(folder / "kitaru"),
        "FIRST_RUN_FOLDER": str(folder),
    }
    side_file = folder / "what-really-ran.txt"

    def ran() -> list[str]:
        return side_file.read_text().splitlines() if side_file.exists() else []

    def kitaru(*arguments: str) -> str:
        say(f"  $ kitaru {' '.join(arguments)}")
        command = [sys.executable, "-m", "kitaru.cli.entry", *arguments]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def status() -> str:
        from kitaru import KitaruClient

        return KitaruClient().executions.get(exec_id).status.value

    os.environ.update(environment)
    say(f"1. Start a flow of {SOURCES} paid steps, a question, and a last step.")
    script = Path(__file__).parent / "report.py"
    process = subprocess.Popen(
        [sys.executable, str(script), str(SOURCES)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    exec_id = process.stdout.readline().strip()
    say(f"   It is {exec_id}.")
    wait_for(lambda: len(ran()) > KILL_AFTER, "the flow to get on")
    process.send_signal(signal.SIGKILL)
    process.wait()
    say(f"2. Killed with SIGKILL in the middle of step {len(ran())}. What ran: {', '.join(ran())}.")
    say("3. Resume it. Only its id is needed:")
    kitaru("executions", "resume", exec_id)
    wait_for(lambda: status() == "waiting", "the flow to wait")
    say(f"   It went on in a process of its own and now waits; that process has ended. Status: {status()}.")
    say("4. Answer. It goes on by itself:")
    kitaru("executions", "input", exec_id, "--value", "true")
    wait_for(lambda: status() == "completed", "the flow to complete")
    say(kitaru("executions", "get", exec_id))
    repeated = {line for line in ran() if ran().count(line) > 1}
    say(f"5. What really ran, counted outside: {', '.join(ran())}.")
    say(f"   Only the step that was killed ran again: {', '.join(sorted(repeated)) or 'none'}.")
    if len(repeated) > 1 or ran().count("publish") != 1:
        sys.exit("   That is not what was promised.")
    say("Killed, resumed, waited, answered, completed.")


if __name__ == "__main__":
    main()
