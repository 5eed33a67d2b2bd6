"""What is wrong with a cast file, said so that its author can put it right."""

from dataclasses import dataclass

from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it stands, what it is, what to do about it."""

    file: str
    line: int
    """Line of the file, from 1; 0 when it concerns the file as a whole."""

    place: str
    """Path of keys, such as `script.replies[2].cues[0]`."""

    what: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.place}: {self.what} {self.remedy}"


class CastFileError(ValueError):
    """A cast file that cannot be used. `problems` holds every mistake that was found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def mistake(what: str, remedy: str) -> PydanticCustomError:
    """A validation error for pydantic that keeps the remedy apart from what is wrong."""
    return PydanticCustomError("cast", "{what}", {"what": what, "remedy": remedy})
