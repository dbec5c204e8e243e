"""Whatever the shapes, what comes out is finite and repeatable."""
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope

from umurl_mmaction.datasets import pack_collate

init_default_scope('mmaction')
CLIP_LEN = 8


@st.composite
def clips(draw, num_joints, coords):
    """A clip (M, T, V, C) with any joints, frames and bodies missing."""
    num_person = draw(st.integers(1, 4))
    num_frames = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (num_person, num_frames, num_joints, coords)
    clip = rng.normal(scale=draw(st.sampled_from([1e-3, 1, 1e3])), size=shape)
    clip[rng.random(shape[:3]) < draw(st.sampled_from([0, .1, .9]))] = 0
    clip[rng.random(shape[:2]) < draw(st.sampled_from([0, .3, 1]))] = 0
    return clip.astype(draw(st.sampled_from(['f2', 'f4', 'f8'])))


@st.composite
def batches(draw):
    num_joints, coords = draw(st.integers(2, 30)), draw(st.integers(2, 4))
    parents = [-1]
    for v in range(1, num_joints):
        parents.append(draw(st.integers(0, v - 1)))
    layout = dict(
        joints=[str(v) for v in range(num_joints)],
        parents=parents,
        center=draw(st.integers(0, num_joints - 1)),
        shoulders=(0, 1) if draw(st.booleans()) else None)
    size = draw(st.integers(2, 5))
    return layout, [draw(clips(num_joints, coords)) for _ in range(size)]


def pipeline(layout, **pack):
    return Compose([
        dict(type='SkeletonPreNormalize', layout=layout),
        dict(type='PackSkeletonInputs', **pack)
    ])


VIEWS = dict(
    type='SkeletonMultiView',
    num_views=[4],
    transforms=[[
        dict(type='TemporalCropResize', min_len=5, clip_len=CLIP_LEN),
        dict(
            type='RandomChoice',
            transforms=[[dict(type='JointCorruption')],
                        [dict(type='PoseShear')]])
    ]])


@settings(max_examples=25, deadline=None)
@given(batches(), st.integers(1, 3), st.integers(0, 2**31))
def test_views_losses_and_features(batch, num_person, seed):
    layout, arrays = batch
    num_joints, coords = arrays[0].shape[2:]
    graph_cfg = dict(layout=layout)
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='UmURL',
            backbone=dict(
                type='UmURLBackbone',
                graph_cfg=graph_cfg,
                in_channels=coords,
                num_person=num_person,
                clip_len=CLIP_LEN,
                embed_dims=8),
            neck=dict(
                type='ModalityProjector', in_channels=16, out_channels=12),
            heads=dict(
                intra=dict(type='IntraModalConsistencyHead'),
                inter=dict(type='InterModalConsistencyHead'),
                regularizer=dict(type='VarianceCovarianceHead')),
            data_preprocessor=dict(
                type='SkeletonDataPreprocessor',
                views=VIEWS)))
    transform = pipeline(layout, num_person=num_person, ragged=True)

    def run():
        data = pack_collate([
            transform(dict(keypoint=x.copy(), frame_dir='clip'))
            for x in arrays
        ])
        torch.manual_seed(seed)
        views = model.data_preprocessor(data, True)['inputs']
        whole = model.data_preprocessor(data, False)['inputs']
        return views, whole

    views, whole = run()
    again, _ = run()
    shape = (len(arrays), num_person, CLIP_LEN, num_joints, coords)
    for view, repeated in zip(views, again):
        assert view.shape == shape and view.isfinite().all()
        assert torch.equal(view, repeated)
    assert whole.shape == (shape[0], 1, *shape[1:]) and whole.isfinite().all()
    losses = model(views, mode='loss')
    assert all(value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    feature = model.eval()(whole[:, 0])
    assert feature.shape == (len(arrays), 16) and feature.isfinite().all()
    assert torch.equal(feature, model(whole[:, 0]))
