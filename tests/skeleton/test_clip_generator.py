"""Numbers of a clip are SplitMix64's, whoever draws them, and when."""
import torch

from umurl_mmaction.skeleton.clip_generator import ClipGenerator, uniform

MASK = 2**64 - 1


def splitmix64(state):
    """The sequence as published, in Python's unbounded integers."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        x = state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        yield x ^ (x >> 31)


def first(seed, number, count):
    """`count` numbers in [0, 1) after the first `number`."""
    numbers = splitmix64((seed + number * 0x9E3779B97F4A7C15) & MASK)
    return [(next(numbers) >> 40) / 2**24 for _ in range(count)]


def test_the_sequence_is_splitmix64():
    # The test vector of Rosetta Code and others.
    numbers = splitmix64(1234567)
    assert [next(numbers) for _ in range(3)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423
    ]
    for seed in (1234567, 0, -5, 2**63 - 1, -2**63):
        places = torch.tensor([0, 1, 77, 2**24 - 1])
        got = ClipGenerator(seed, places).rand(100)
        assert got.dtype == torch.float32
        for row, place in zip(got.tolist(), places.tolist()):
            assert row == first(seed, place * 2**32, 100)


def test_numbers_do_not_depend_on_how_they_are_drawn():
    places = torch.arange(6)
    whole = ClipGenerator(9, places).rand(300)
    parts = ClipGenerator(9, places)
    got = [parts.rand(), parts.rand(3, 2), parts.rand(60), parts.rand(200),
           parts.rand(33)]
    assert [x.shape for x in got[:2]] == [(6, ), (6, 3, 2)]
    assert torch.equal(torch.cat([x.view(6, -1) for x in got], 1), whole)
    some = ClipGenerator(9, places[1::2])
    assert torch.equal(uniform(some, 3, 300), whole[1::2])


def test_views_have_numbers_of_their_own():
    generator = ClipGenerator(1, torch.arange(4))
    numbers = generator.of_views(range(3)).rand(50)
    assert len(numbers) == 12 and len(numbers.unique(dim=0)) == 12
    assert torch.equal(numbers[:4], generator.rand(50))
    # The same views, made by two pipelines.
    assert torch.equal(generator.of_views(range(1, 3)).rand(50), numbers[4:])
