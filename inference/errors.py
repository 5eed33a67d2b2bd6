"""What can go wrong between the web side and a worker. Standard library only."""


class InferenceError(Exception):
    """Base of all of them. `code` is stable and may be shown to clients; `retryable` says if trying again can help."""

    code = "inference_error"
    retryable = False


class AtCapacity(InferenceError):
    """No free slot. Being full is normal: the caller is told at once and may come back."""

    code = "at_capacity"
    retryable = True


class WorkerUnavailable(InferenceError):
    """No worker is attached, or it did not answer in time."""

    code = "worker_unavailable"
    retryable = True


class StreamClosed(InferenceError):
    """The stream was used after it ended."""

    code = "stream_closed"


class InvalidSpec(InferenceError, ValueError):
    """A spec, speech part or command that no worker could honour."""

    code = "invalid_spec"


class Superseded(InferenceError):
    """The session has a newer stream: this one is over, and must not be opened again with its old fencing number."""

    code = "superseded"


class TokenRefused(InferenceError):
    """A stream token that is not for this worker, not signed by its key, too old, or used before."""

    code = "token_refused"


class WireError(InvalidSpec):
    """A message between web side and worker that is none; the text names what is wrong with it."""

    code = "wire_error"


class SlowConsumer(InferenceError):
    """The reader of a stream fell behind its bounded queue; its stream ends, nobody else's does."""

    code = "slow_consumer"


class ModelFault(InferenceError):
    """Ears, mouth or model failed while running."""

    code = "model_fault"
    retryable = True


def error_named(code: str, message: str) -> InferenceError:
    """The error that the other side of a wire means by this code."""
    waiting = [InferenceError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            return kind(message)
        waiting += kind.__subclasses__()
    return InferenceError(f"{code}: {message}")
