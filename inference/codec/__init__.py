"""Neural codecs, frame by frame, with a state per slot."""
