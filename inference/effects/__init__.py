"""What turns speech into the style of the moment: streaming effects on 24 kHz PCM, one `Chain` per stream."""
