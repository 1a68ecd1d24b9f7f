"""Look at executions and steer them by the client."""

import kitaru


@kitaru.checkpoint
def risky(number: int) -> float:
    """Fails for 0."""
    return 1 / number


@kitaru.flow
def inverse(number: int) -> float:
    """One risky step."""
    return risky(number)


if __name__ == "__main__":
    client = kitaru.KitaruClient()
    inverse.run(4).wait()
    failed = inverse.run(0)
    try:
        failed.wait()
    except kitaru.KitaruUserCodeError as error:
        print(error.failure_origin.value, type(error.__cause__).__name__)
    print([(e.flow_name, e.status.value) for e in client.executions.list(flow="inverse")])
    execution = client.executions.get(failed.exec_id)
    print(execution.failure and execution.failure.calls)
    print(client.executions.statistics(group_by="flow")[0]["failed"])
