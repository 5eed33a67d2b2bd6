"""Published weights: where they lie, what may be wrong with them, and their tensors."""
