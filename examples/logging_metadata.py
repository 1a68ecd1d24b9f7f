"""Structured metadata on a checkpoint and on the execution."""

import kitaru


@kitaru.checkpoint(type="llm_call")
def answer(question: str) -> str:
    """Log what the call cost; dicts merge."""
    kitaru.log(usage={"input_tokens": 12})
    kitaru.log(usage={"output_tokens": 30}, model="small")
    return question[::-1]


@kitaru.flow
def ask(question: str) -> str:
    """In a flow's body, metadata goes to the execution."""
    kitaru.log(team="research")
    return answer(question)


if __name__ == "__main__":
    handle = ask.run("why?")
    handle.wait()
    execution = kitaru.KitaruClient().executions.get(handle.exec_id)
    print(execution.metadata)
    print([call.metadata for call in execution.checkpoints if call.name == "answer"])
