"""CUDA graphs: a program of fixed tensors, captured once and replayed without launches from Python."""

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UPS = 2


def captured(program: Callable[[], Tensor], state: list[Tensor]) -> Callable[[], Tensor]:
    """The program as a graph; calling it replays and returns the same output tensor.

    Warming up runs the program for real, so the tensors of `state` that it changes are put back afterwards.
    """
    saved = [tensor.clone() for tensor in state]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UPS):
            program()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = program()
    for tensor, value in zip(state, saved, strict=True):
        tensor.copy_(value)

    def replay() -> Tensor:
        graph.replay()
        return output

    return replay
