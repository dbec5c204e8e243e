import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine import dist
from mmengine.dataset import sampler
from mmengine.logging import MessageHub

from umurl_mmaction.datasets import pack_collate
from umurl_mmaction.skeleton import pack_clips
from umurl_mmaction.skeleton.batch import (
    ClipIndex,
    ClipIndices,
    RaggedClip,
    Streams,
    Views,
)
from umurl_mmaction.skeleton.temporal import crop_resize

VIEWS = dict(
    type='SkeletonMultiView',
    num_views=[2],
    transforms=[[
        dict(type='TemporalCropResize', clip_len=8),
        dict(type='PoseShear')
    ]])


@pytest.fixture
def preprocessor():
    return MODELS.build(
        dict(type='SkeletonDataPreprocessor', views=VIEWS))


@pytest.fixture
def training():
    """Set the state of the training, as MMEngine's hooks do."""
    hub = MessageHub.get_instance('test_data_preprocessor')

    def stand(seed=1, epoch=2, iteration=30):
        hub.update_info_dict(
            dict(loop_stage='train', seed=seed, epoch=epoch, iter=iteration))

    yield stand
    hub.pop_info('loop_stage', None)


def batch(dtype=torch.float32):
    rng = torch.Generator().manual_seed(0)
    clips = [
        torch.randn(m, t, 25, 3, generator=rng).to(dtype)
        for m, t in [(1, 70), (2, 9), (2, 200)]
    ]
    return [
        dict(inputs=RaggedClip(clip), data_samples=i)
        for i, clip in enumerate(clips)
    ]


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_packed_clips_and_kept_clips_give_the_same(preprocessor, training,
                                                   dtype):
    training()
    packed = preprocessor(pack_collate(batch(dtype)), True)
    assert isinstance(packed['inputs'], Views) and len(packed['inputs']) == 2
    assert packed['data_samples'] == [0, 1, 2]
    # The set is kept in another order than that of the batch.
    clips = [sample['inputs'].joints for sample in batch(dtype)]
    preprocessor.kept = pack_clips([clips[1], clips[2], clips[0]])
    indices = pack_collate([
        dict(inputs=ClipIndex(index), data_samples=0) for index in (2, 0, 1)
    ])
    assert isinstance(indices['inputs'], ClipIndices)
    kept = preprocessor(indices, True)
    for a, b in zip(packed['inputs'], kept['inputs']):
        assert a.shape == (3, 2, 8, 25, 3) and a.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=0, rtol=0)
        assert not a[0, 1].any() and a[1:].any((2, 3, 4)).all()


def test_views_depend_on_where_the_training_stands(preprocessor, training):

    def views(**kwargs):
        training(**kwargs)
        torch.manual_seed(np.random.randint(1000))
        return preprocessor(pack_collate(batch()), True)['inputs'][0]

    first = views()
    for other in (dict(seed=2), dict(epoch=3), dict(iteration=31)):
        assert not torch.equal(first, views(**other))
    assert torch.equal(first, views())


@pytest.mark.parametrize('world_size', [2, 3, 4])
def test_ranks_make_the_views_of_the_whole_batch(preprocessor, training,
                                                 monkeypatch, world_size):
    """As the sampler deals five clips; some ranks get one a second time."""
    training()
    clips = [torch.randn(1, 64 + 9 * i, 25, 3) for i in range(5)]

    def views(order):
        samples = [dict(inputs=RaggedClip(clips[i])) for i in order]
        return preprocessor(pack_collate(samples), True)['inputs']

    whole = views(range(5))
    for rank in range(world_size):
        monkeypatch.setattr(
            sampler, 'get_dist_info', lambda rank=rank: (rank, world_size))
        monkeypatch.setattr(dist, 'get_rank', lambda rank=rank: rank)
        monkeypatch.setattr(dist, 'get_world_size', lambda: world_size)
        order = list(sampler.DefaultSampler(clips, shuffle=False))
        for part, expected in zip(views(order), whole):
            own = expected[rank::world_size]
            assert len(own) >= 1 and torch.equal(part[:len(own)], own)


def test_outside_of_training_torchs_generator_draws(preprocessor):
    torch.manual_seed(3)
    first = preprocessor(pack_collate(batch()), True)['inputs'][0]
    second = preprocessor(pack_collate(batch()), True)['inputs'][0]
    torch.manual_seed(3)
    third = preprocessor(pack_collate(batch()), True)['inputs'][0]
    assert torch.equal(first, third) and not torch.equal(first, second)


def test_autocast_does_not_touch_the_views(preprocessor, training):
    training()
    expected = preprocessor(pack_collate(batch()), True)['inputs']
    with torch.autocast('cpu', torch.bfloat16):
        got = preprocessor(pack_collate(batch()), True)['inputs']
    torch.testing.assert_close(got, expected, atol=0, rtol=0)


def test_ready_views_and_streams_are_stacked(preprocessor):
    x = torch.randn(3, 1, 2, 8, 25, 3)
    stacked = preprocessor(dict(inputs=list(x), data_samples=[]))['inputs']
    assert torch.equal(stacked, x)
    views = preprocessor(
        dict(
            inputs=Views([list(x[:, 0]), list(x[:, 0] + 1)]),
            data_samples=[]))
    assert isinstance(views['inputs'], Views)
    torch.testing.assert_close(list(views['inputs']), [x[:, 0], x[:, 0] + 1])
    streams = preprocessor(
        dict(inputs=Streams(joint=list(x.half())), data_samples=[]))['inputs']
    assert isinstance(streams, Streams)
    assert streams['joint'].dtype == torch.float32


def test_clips_with_other_numbers_of_bodies_are_stacked(preprocessor):
    clips = [torch.randn(1, m, 8, 25, 3) for m in (1, 3, 2)]
    stacked = preprocessor(dict(inputs=clips, data_samples=[]))['inputs']
    assert stacked.shape == (3, 1, 3, 8, 25, 3)
    for clip, got in zip(clips, stacked):
        bodies = clip.shape[1]
        assert torch.equal(got[:, :bodies], clip)
        assert not got[:, bodies:].any()


def test_a_batch_says_what_it_is_by_its_type(preprocessor):
    """Neither int64 nor four axes have a meaning of their own."""
    labels = torch.arange(3)
    assert torch.equal(
        preprocessor(dict(inputs=labels, data_samples=[]))['inputs'],
        labels.float())
    clips = [torch.randn(2, 8, 25, 3) for _ in range(3)]
    stacked = preprocessor(dict(inputs=clips, data_samples=[]), True)
    assert torch.equal(stacked['inputs'], torch.stack(clips))
    with pytest.raises(ValueError, match='no clips are kept on the device'):
        preprocessor(
            dict(inputs=ClipIndices(labels), data_samples=[]), True)


def test_the_model_says_how_many_views_and_how_long(preprocessor, training):
    training()
    with pytest.raises(
            ValueError, match=r'num_views=\[2\] of SkeletonMultiView .* takes '
            '4: one for each of model.backbone.modalities'):
        preprocessor.fit_views(4, (2, 8, 25, 3))
    one = MODELS.build(
        dict(
            type='SkeletonDataPreprocessor',
            views=dict(type='SkeletonMultiView',
                       transforms=VIEWS['transforms'])))
    one.fit_views(3, (1, 16, 25, 3))
    views = one(pack_collate(batch()), True)['inputs']
    assert [view.shape for view in views] == [(3, 1, 16, 25, 3)] * 3


def test_raw_clips_without_views_are_refused():
    plain = MODELS.build(dict(type='SkeletonDataPreprocessor'))
    with pytest.raises(ValueError, match='has no views to make') as error:
        plain(pack_collate(batch()))
    assert '\n' not in str(error.value)


def test_for_evaluation_clips_are_taken_whole(preprocessor):
    inputs = preprocessor(pack_collate(batch()))['inputs']
    assert inputs.shape == (3, 1, 2, 8, 25, 3)
    for got, sample in zip(inputs, batch()):
        clip = sample['inputs'].joints
        expected = crop_resize(clip, 0, clip.shape[1], 8)
        torch.testing.assert_close(got[0, :len(clip)], expected)
