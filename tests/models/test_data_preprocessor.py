import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MessageHub

from umurl_mmaction.datasets import pack_collate
from umurl_mmaction.skeleton import crop_resize

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
        dict(type='SkeletonDataPreprocessor', views=VIEWS, num_person=2))


@pytest.fixture
def training():
    """Where MMEngine's hooks say that the training stands."""
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
    return [dict(inputs=clip, data_samples=i) for i, clip in enumerate(clips)]


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_packed_clips_and_lists_of_clips_give_the_same(preprocessor, training,
                                                       dtype):
    training()
    packed = preprocessor(pack_collate(batch(dtype)), True)
    listed = preprocessor(
        dict(inputs=[x['inputs'] for x in batch(dtype)], data_samples=[]),
        True)
    assert len(packed['inputs']) == 2
    assert packed['data_samples'] == [0, 1, 2]
    for a, b in zip(packed['inputs'], listed['inputs']):
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
        dict(inputs=[list(x[:, 0]), list(x[:, 0] + 1)], data_samples=[]))
    torch.testing.assert_close(views['inputs'], [x[:, 0], x[:, 0] + 1])
    streams = preprocessor(
        dict(inputs=dict(joint=list(x.half())), data_samples=[]))['inputs']
    assert streams['joint'].dtype == torch.float32


def test_raw_clips_without_views_are_refused():
    plain = MODELS.build(dict(type='SkeletonDataPreprocessor'))
    with pytest.raises(ValueError, match='has no views to make') as error:
        plain(pack_collate(batch()))
    assert '\n' not in str(error.value)


def test_for_evaluation_clips_are_taken_whole(preprocessor):
    inputs = preprocessor(pack_collate(batch()))['inputs']
    assert inputs.shape == (3, 1, 2, 8, 25, 3)
    for got, sample in zip(inputs, batch()):
        clip = sample['inputs']
        expected = crop_resize(clip, 0, clip.shape[1], 8)
        torch.testing.assert_close(got[0, :len(clip)], expected)
