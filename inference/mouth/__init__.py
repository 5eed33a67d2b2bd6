"""What speaks: words in as they are decided, audio frames with word times out."""

from inference.mouth.base import Mouth


def default_mouth() -> Mouth:
    """The mouth of a fresh checkout: eSpeak NG. Raises `ModelFault` naming the remedy when it is not installed."""
    # Imported here because it pulls in scipy and soxr, which those who only need the interface do not want.
    from inference.mouth.espeak_mouth import EspeakMouth

    return EspeakMouth()
