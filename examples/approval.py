"""Wait for a person: a boolean, then a pydantic model. Answered here by the client, as a web page would."""

import time

from pydantic import BaseModel

import kitaru


class Review(BaseModel):
    """What the reviewer says."""

    score: int
    remarks: list[str] = []


@kitaru.flow
def publish(text: str) -> str:
    """The process may end at each wait."""
    if not kitaru.wait("approve", question=f"Publish {text!r}?", schema=bool):
        return "rejected"
    review = kitaru.wait("review", question="How good is it?", schema=Review, timeout=30)
    return f"published with {review.score}: {', '.join(review.remarks)}"


if __name__ == "__main__":
    client = kitaru.KitaruClient()
    handle = publish.run("a draft")
    handle.until_suspended()
    print(handle.status.value, [wait.name for wait in client.executions.pending_waits(handle.exec_id)])
    client.executions.input(handle.exec_id, value=True)
    while not client.executions.pending_waits(handle.exec_id):
        time.sleep(0.1)
    try:
        client.executions.input(handle.exec_id, value={"score": "high"})
    except kitaru.KitaruWaitValidationError as error:
        print("refused:", str(error).split(":")[0])
    client.executions.input(handle.exec_id, value=Review(score=5, remarks=["clear", "short"]))
    print(handle.wait())
