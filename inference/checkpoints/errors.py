"""What can be wrong with a checkpoint. Each is found before any slot opens."""

from inference.errors import InferenceError


class CheckpointError(InferenceError):
    """A folder that cannot be used as a checkpoint; the message names the file or tensor and the mistake."""

    code = "bad_checkpoint"


class CheckpointMissing(CheckpointError):
    """There is no such folder, nor a pulled copy of such a hub id."""

    code = "checkpoint_missing"


class UnsafeFile(CheckpointError):
    """A file that must not be read: a pickle, or a path that leaves the folder."""

    code = "unsafe_file"


class BrokenFile(CheckpointError):
    """A truncated or malformed file."""

    code = "broken_file"


class TensorMissing(CheckpointError):
    """A tensor that the model needs is not there."""

    code = "tensor_missing"


class TensorUnknown(CheckpointError):
    """A tensor that no part of the model takes: the file is of another model than its config says."""

    code = "tensor_unknown"


class TensorShape(CheckpointError):
    """A tensor has another shape than the config and its neighbours imply."""

    code = "tensor_shape"


class TensorValues(CheckpointError):
    """A tensor holds NaN or infinity."""

    code = "tensor_values"
