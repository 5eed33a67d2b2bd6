"""The hierarchical voice-language model: a backbone over time, an audio transformer over the codebooks of a frame."""
