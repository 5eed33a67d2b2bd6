"""The cast file: one YAML file that holds a whole character (docs/authoring.md). No Django.

`read_cast_file` reads and checks a file, `CastFile` is its content (and JSON by `model_dump(mode="json")`),
`CastFileError` carries every problem found, each with file, line, place and remedy.
"""

from characters.cast_file.activities import (
    Activity,
    ChatActivity,
    LessonActivity,
    SceneActivity,
    SongActivity,
    StoryActivity,
)
from characters.cast_file.marks import LinePiece, PauseMark, StyleMark, VoiceMark, parse_line, plain_text
from characters.cast_file.model import CastFile
from characters.cast_file.problems import CastFileError, Problem
from characters.cast_file.reader import parse_cast_text, read_cast_file
from characters.cast_file.review import Review, review
from characters.cast_file.score import parse_phrase
from characters.cast_file.script import Reply, Role, Script

__all__ = [
    "Activity",
    "CastFile",
    "CastFileError",
    "ChatActivity",
    "LessonActivity",
    "LinePiece",
    "PauseMark",
    "Problem",
    "Reply",
    "Review",
    "Role",
    "SceneActivity",
    "Script",
    "SongActivity",
    "StoryActivity",
    "StyleMark",
    "VoiceMark",
    "parse_cast_text",
    "parse_line",
    "parse_phrase",
    "plain_text",
    "read_cast_file",
    "review",
]
