"""Training over processes equals training on the whole batch."""
import pytest
import torch
import torch.multiprocessing as mp
from distributed_step import build, step, work


@pytest.mark.parametrize('shares, parts', [
    ((3, 3), ('umurl', 'umurl')),
    ((4, 2), ('umurl', 'umurl')),
    ((1, 2, 3), ('umurl', 'umurl')),
    ((4, 2), ('stgcnpp', 'umurl')),
    ((4, 2), ('umurl', 'skeletal_twins')),
    ((2, 1, 2, 1), ('umurl', 'usdrl')),
    ((3, 3), ('umurl', 'neighbor')),
], ids=str)
def test_gradients_equal_those_of_the_whole_batch(shares, parts, tmp_path):
    address = f'file://{tmp_path}/rendezvous'
    mp.spawn(
        work, (shares, address, str(tmp_path), parts),
        nprocs=len(shares),
        join=True)
    model, views = build(*parts)
    loss = step(model, views)
    state = {k: p.grad for k, p in model.named_parameters()}
    state.update((k, v) for k, v in model.state_dict().items()
                 if 'running' in k)
    for rank in range(len(shares)):
        got_loss, got = torch.load(tmp_path / f'{rank}.pth')
        assert got_loss == pytest.approx(loss, rel=1e-9)
        assert got.keys() == state.keys()
        for key, value in state.items():
            torch.testing.assert_close(
                got[key], value, rtol=1e-6, atol=1e-8, msg=key)
