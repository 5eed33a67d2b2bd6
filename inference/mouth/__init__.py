"""What speaks: words in as they are decided, audio frames out with word times."""

from inference.mouth.base import Mouth


def open_espeak() -> Mouth:
    """eSpeak NG as a mouth. Raises `ModelFault` naming the remedy when it is not installed."""
    # Imported here because it pulls in scipy and soxr, which those who only need the interface do not want.
    from inference.mouth.espeak_mouth import EspeakMouth

    return EspeakMouth()
