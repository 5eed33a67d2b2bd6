"""Asking for another delivery: "whisper, please", "slower", "back to normal"."""

from collections.abc import Callable, Iterator, Mapping

from characters.cast_file import CastFile
from characters.mind.commands import split_cues
from inference.protocol import StyleSpec

NORMAL = "normal"

_WISHES: dict[str, tuple[str, ...]] = {
    "whisper": split_cues(
        "whisper | whisper please | can you whisper | speak in a whisper | whisper to me | 小声 | 悄悄说 | 小声一点"
    ),
    "slower": split_cues(
        "slower | slower please | speak slower | speak more slowly | slow down | too fast | not so fast | "
        "慢一点 | 说慢点"
    ),
    "faster": split_cues(
        "faster | faster please | speak faster | talk faster | speed up | too slow | hurry up | 快一点 | 说快点"
    ),
    "louder": split_cues(
        "louder | louder please | speak up | a little louder | speak louder | too quiet | 大声一点 | 大声点"
    ),
    "softer": split_cues(
        "softer | softer please | quieter | speak softly | quietly please | too loud | lower your voice | "
        "轻一点 | 温柔一点"
    ),
    "cheerful": split_cues(
        "cheer up | be cheerful | be happy | sound happy | more cheerful | be more lively | smile | 开心一点 | 高兴一点"
    ),
    "sad": split_cues("be sad | sound sad | sadder | 伤心一点"),
    "angry": split_cues("be angry | sound angry | get angry | 生气一点"),
    "excited": split_cues("be excited | sound excited | more energy | 激动一点"),
    "dramatic": split_cues("be dramatic | more drama | more dramatic | 夸张一点"),
    "sleepy": split_cues("be sleepy | sound sleepy | 困一点"),
    "gruff": split_cues("be gruff | sound gruff"),
    "timid": split_cues("be timid | sound shy"),
    "robotic": split_cues("talk like a robot | sound like a robot | robot voice"),
    NORMAL: split_cues(
        "normal voice | speak normally | talk normally | back to normal | your normal voice | your own voice | "
        "normal please | stop whispering | 正常说话 | 恢复正常"
    ),
}

_DOES: dict[str, Callable[[StyleSpec], bool]] = {
    "whisper": lambda style: style.whisper >= 0.5,
    "slower": lambda style: style.rate < 0.95 and style.whisper < 0.5,
    "faster": lambda style: style.rate > 1.05 and style.whisper < 0.5,
    "louder": lambda style: style.level_db > 0,
    "softer": lambda style: style.level_db < 0,
}
_STANDS_IN = {"softer": ("whisper",), "cheerful": ("excited",), "excited": ("cheerful",), "whisper": ("softer",)}


def style_cues(cast: CastFile) -> Iterator[tuple[str, str]]:
    """Wish and cue: those known everywhere, and the names of the character's own presets."""
    known = {cue for cues in _WISHES.values() for cue in cues}
    for wish, cues in _WISHES.items():
        for cue in cues:
            yield wish, cue
    for slug in cast.styles:
        words = slug.replace("-", " ").replace("_", " ")
        for cue in (f"speak {words}", f"be {words}", f"{words} please", f"{words} voice"):
            if cue not in known:
                yield slug, cue


def preset_for(wish: str, cast: CastFile, styles: Mapping[str, StyleSpec]) -> str | None:
    """The character's preset that grants this wish, or None."""
    if wish == NORMAL:
        return cast.style
    for slug in (wish, *_STANDS_IN.get(wish, ())):
        if slug in cast.styles:
            return slug
    does = _DOES.get(wish)
    if does:
        return next((slug for slug in cast.styles if slug in styles and does(styles[slug])), None)
    return None
