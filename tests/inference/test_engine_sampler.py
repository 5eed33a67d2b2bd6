"""The draws: the distribution of the plain sampler, from a counter instead of a generator."""

import pytest
import torch

from inference.engine.sampler import Sampler, uniforms
from inference.models.sampling import Sampling, distribution


def draws(logits: torch.Tensor, temperature: float, top_k: int, count: int, bound: int = 16) -> torch.Tensor:
    """That many draws from the same logits [V], by one slot."""
    sampler = Sampler(1, bound)
    sampler.seeds[0] = 1234
    divisor, k = torch.tensor([temperature]), torch.tensor([top_k])
    drawn = []
    for _ in range(count):
        drawn.append(sampler.draw(logits[None], divisor, k, 0, unlimited=top_k == 0))
        sampler.counters += 1
    return torch.cat(drawn)


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, 5), (0.8, 12), (2.5, 3), (1.5, 0)])
def test_draws_follow_the_distribution_of_the_plain_sampler(temperature: float, top_k: int) -> None:
    logits = torch.randn(40, generator=torch.Generator().manual_seed(2)) * 2
    wanted = distribution(logits, Sampling(temperature, top_k))
    count = 4000
    found = torch.bincount(draws(logits, temperature, top_k, count), minlength=40) / count
    assert (found[wanted == 0] == 0).all()
    # Four standard deviations of a share.
    assert ((found - wanted).abs() <= 4 * (wanted * (1 - wanted) / count).sqrt() + 1e-9).all()


def test_a_neighbour_without_a_limit_moves_nobodys_draw() -> None:
    logits = torch.randn(3, 200, generator=torch.Generator().manual_seed(9)) * 0.1
    sampler = Sampler(3, 16)
    ones, limited, mixed = torch.ones(3), torch.tensor([16, 3, 1]), torch.tensor([16, 0, 1])
    beyond = 0
    for _ in range(50):
        alone = sampler.draw(logits, ones, limited, 1)
        beside = sampler.draw(logits, ones, mixed, 1, unlimited=True)
        assert beside[[0, 2]].tolist() == alone[[0, 2]].tolist()
        beyond += int(beside[1]) not in logits[1].topk(16).indices
        sampler.counters += 1
    assert beyond > 25


def test_top_k_one_is_greedy_whatever_the_seed() -> None:
    logits = torch.randn(40, generator=torch.Generator().manual_seed(4))
    assert (draws(logits, 0.1, 1, 50) == logits.argmax()).all()


def test_numbers_are_strictly_between_zero_and_one_and_even() -> None:
    seeds, counters = torch.arange(64), torch.arange(64) * 1000
    numbers = uniforms(seeds, counters, 2, torch.arange(4000).expand(64, -1))
    assert numbers.min() > 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005
    shares = torch.histc(numbers, 20, 0, 1) / numbers.numel()
    assert (shares - 0.05).abs().max() < 0.005


@pytest.mark.parametrize("changed", ["seed", "high seed bits", "counter", "lane"])
def test_every_part_of_the_key_changes_the_numbers(changed: str) -> None:
    ids = torch.arange(1000)[None]
    base = uniforms(torch.tensor([7]), torch.tensor([3]), 0, ids)
    other = uniforms(
        torch.tensor([7 + (changed == "seed") + (2**40 if changed == "high seed bits" else 0)]),
        torch.tensor([3 + (changed == "counter")]),
        int(changed == "lane"),
        ids,
    )
    assert abs(torch.corrcoef(torch.cat([base, other]))[0, 1]) < 0.15


def test_a_slots_draws_do_not_depend_on_its_place_or_on_the_others() -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(8))
    sampler = Sampler(3, 16)
    sampler.seeds.copy_(torch.tensor([5, 6, 7]))
    ones, ks = torch.ones(3), torch.tensor([16, 16, 16])
    together = sampler.draw(logits, ones, ks, 1)
    swapped = Sampler(3, 16)
    swapped.seeds.copy_(torch.tensor([7, 5, 6]))
    moved = swapped.draw(logits[[2, 0, 1]], ones, ks, 1)
    assert moved.tolist() == together[[2, 0, 1]].tolist()
