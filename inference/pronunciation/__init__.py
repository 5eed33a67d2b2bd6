"""Any English text as phones: the dictionary, letter-to-sound rules for the rest, and the reading of what is written.

`Pronouncer` is the door; `PronouncedWord` is what it gives.
"""

from inference.pronunciation.pronounced_word import PronouncedWord
from inference.pronunciation.pronouncer import Pronouncer

__all__ = ["PronouncedWord", "Pronouncer"]
