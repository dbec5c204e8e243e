"""One training step of a small model, in one process or several.

A module of its own because spawned processes import it by name.
"""
import mmengine
import torch
from mmaction.registry import MODELS
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

import umurl_mmaction  # noqa: F401

ENCODERS = dict(
    umurl=dict(type='UmURLBackbone', embed_dims=16, clip_len=8),
    stgcnpp=dict(
        type='EarlyFusionEncoder',
        clip_len=8,
        trunk=dict(
            type='STGCN',
            graph_cfg=dict(mode='spatial'),
            gcn_adaptive='init',
            gcn_with_res=True,
            tcn_type='mstcn',
            base_channels=8,
            num_stages=2,
            down_stages=[2])))

UMURL_HEADS = dict(
    intra=dict(type='IntraModalConsistencyHead'),
    inter=dict(type='InterModalConsistencyHead'),
    regularizer=dict(type='VarianceCovarianceHead'))
OBJECTIVES = dict(
    umurl=dict(heads=UMURL_HEADS),
    usdrl=dict(
        heads=UMURL_HEADS,
        parts=dict(temporal=0.5, spatial=0.5),
        part_neck=dict(type='ModalityProjector', out_channels=12)),
    skeletal_twins=dict(
        branches=dict(twin=None),
        heads=dict(
            barlow=dict(type='BarlowTwinsHead'),
            instance=dict(type='InstanceConsistencyHead'))),
    neighbor=dict(
        share_neck=True,
        heads=dict(
            neighbor=dict(
                type='NearestNeighborContrastHead',
                channels=24,
                queue_size=12,
                hidden_channels=16))))


def build(encoder='umurl', objective='umurl'):
    mmengine.registry.init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='UmURL',
            backbone=ENCODERS[encoder],
            neck=dict(type='ModalityProjector', out_channels=24),
            **OBJECTIVES[objective]))
    views = [
        torch.randn(6, 2, 8, 25, 3, dtype=torch.float64)
        for _ in range(model.num_views)
    ]
    return model.double(), views


def step(model, views):
    loss = sum(model(views, mode='loss').values())
    loss.backward()
    return loss.item()


def save_step(rank, shares, results, parts):
    model, views = build(*parts)
    model = DistributedDataParallel(model, broadcast_buffers=False)
    start = sum(shares[:rank])
    loss = step(model, [x[start:start + shares[rank]] for x in views])
    state = {k: p.grad for k, p in model.module.named_parameters()}
    state.update(
        (k, v) for k, v in model.module.state_dict().items() if 'running' in k)
    torch.save((loss, state), f'{results}/{rank}.pth')


def work(rank, shares, address, results, parts):
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=address, rank=rank, world_size=len(shares))
    save_step(rank, shares, results, parts)
    # A DDP model that outlives its process group may wait forever.
    dist.barrier()
    dist.destroy_process_group()
