"""What was said before a stream began, for a model that goes on from there."""

from inference.protocol import SessionSpec

MOST_CHARACTERS = 1_200
"""Of the latest turns, that an instruction may hold: about 300 positions of a prompt."""

_SPEAKERS = {"user": "User", "character": "You"}


def told_instruction(spec: SessionSpec) -> str:
    """The instructions, with the latest of what was said written below them.

    A prompt of speech holds earlier turns as sound only, and of a call that moved here no sound is left.
    """
    lines: list[str] = []
    left = MOST_CHARACTERS
    for speaker, text in reversed(spec.history):
        line = f"{_SPEAKERS.get(speaker, speaker)}: {' '.join(text.split())}"
        left -= len(line)
        if left < 0:
            break
        lines.insert(0, line)
    if not lines:
        return spec.instructions
    return "\n".join([spec.instructions, "The conversation so far:", *lines]).strip()
