"""Values saved by name in one execution and loaded in another."""

import kitaru


@kitaru.checkpoint
def draft(topic: str) -> str:
    """Keep the prompt beside the output."""
    kitaru.save("prompt", f"Write about {topic}", type="prompt", tags=["v1"])
    return f"A text about {topic}"


@kitaru.checkpoint
def reuse(exec_id: str) -> str:
    """Load what another execution kept."""
    return f"{kitaru.load(exec_id, 'prompt')} -> {kitaru.load(exec_id, 'draft')}"


@kitaru.flow
def write(topic: str) -> str:
    """Write."""
    return draft(topic)


@kitaru.flow
def look(exec_id: str) -> str:
    """Read it again elsewhere."""
    return reuse(exec_id)


if __name__ == "__main__":
    written = write.run("tea")
    written.wait()
    print(look.run(written.exec_id).wait())
    for artifact in kitaru.KitaruClient().artifacts.list(written.exec_id):
        print(artifact.name, artifact.kind, artifact.type, artifact.preview)
