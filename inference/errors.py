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


class SlowConsumer(InferenceError):
    """The reader of a stream fell behind its bounded queue; its stream ends, nobody else's does."""

    code = "slow_consumer"


class ModelFault(InferenceError):
    """Ears, mouth or model failed while running."""

    code = "model_fault"
    retryable = True
