"""A warning where clips are not prepared as those that an encoder knows."""
import pytest
from mmaction.registry import DATASETS
from mmengine.runner import Runner
from small_runs import linear_config
from tiny_models import (
    KNN,
    PRETRAIN,
    run_test_loop,
    save_weights,
    tiny_config,
)

from umurl_mmaction.apis import load_model
from umurl_mmaction.datasets.preparation import find_difference, plain_steps

SCALED = [dict(type='SkeletonPreNormalize', scale=0.5)]
PLAIN = [dict(type='SkeletonPreNormalize')]
WARNING = ('pretrained.pth: its encoder learned from clips prepared by '
           'SkeletonPreNormalize(scale=0.5), but these are prepared by '
           'SkeletonPreNormalize(): give both the same `prepare`, unless the '
           'data differ in just that')


@pytest.fixture
def checkpoint(ann_file, tmp_path):
    """A checkpoint that says what its training set was like."""

    def save(prepare):
        cfg = tiny_config(ann_file, PRETRAIN)
        dataset = DATASETS.build(
            dict(cfg.train_dataloader.dataset, ann_file=ann_file,
                 prepare=prepare))
        return save_weights(
            cfg, tmp_path / 'pretrained.pth',
            meta=dict(dataset_meta=dataset.metainfo))

    return save


def count_warnings(folder):
    log, = folder.glob('*/*.log')
    return log.read_text().count(WARNING)


@pytest.mark.parametrize('prepare, warns', [(SCALED, 1), (PLAIN, 0)])
def test_a_test(ann_file, tmp_path, checkpoint, prepare, warns):
    run_test_loop(
        tiny_config(ann_file, KNN), checkpoint(prepare), tmp_path / 'test')
    assert count_warnings(tmp_path / 'test') == warns


@pytest.mark.parametrize('prepare, warns', [(SCALED, 1), (PLAIN, 0)])
def test_a_training(ann_file, tmp_path, checkpoint, prepare, warns):
    cfg = linear_config(ann_file, tmp_path / 'linear')
    cfg.merge_from_dict({
        'model.backbone.embed_dims': 16,
        'model.cls_head.in_channels': 32,
        'train_cfg.max_epochs': 1
    })
    cfg.load_from = checkpoint(prepare)
    # Its own logger: MMEngine's have names of a second.
    cfg.experiment_name = tmp_path.name
    Runner.from_cfg(cfg).train()
    assert count_warnings(tmp_path / 'linear') == warns


@pytest.mark.parametrize('prepare, warns', [(SCALED, 1), (PLAIN, 0)])
def test_a_model_by_itself(ann_file, checkpoint, monkeypatch, prepare, warns):
    lines = []
    path = checkpoint(prepare)
    monkeypatch.setattr('umurl_mmaction.apis.loading.print_log',
                        lambda line, *args: lines.append(line))
    load_model(tiny_config(ann_file, KNN), path, 'cpu')
    assert [WARNING in line for line in lines] == [True] * warns


def test_defaults_and_the_layout_are_no_difference():
    learned = dict(prepare=[
        dict(type='SkeletonPreNormalize', layout='kinect-v1', rotation='full')
    ])
    assert find_difference(learned, PLAIN) is None
    assert find_difference(learned, []).startswith(
        'its encoder learned from clips prepared by SkeletonPreNormalize(), '
        'but these are prepared by nothing: ')


@pytest.mark.parametrize('meta', [
    None, {}, dict(prepare=None), dict(prepare='ab'), dict(prepare=[3]),
    dict(prepare=[dict(type=3)]), 7
])
def test_what_is_not_known_is_not_compared(meta):
    assert find_difference(meta, PLAIN) is None


def test_a_transform_that_is_not_here_is_named():
    learned = dict(prepare=[dict(type='Own', amount=2)])
    assert 'by Own(amount=2), but' in find_difference(learned, PLAIN)


def test_steps_become_plain_data():

    class Step:
        """A transform, not a config."""

    steps = [dict(type='A', size=(1, 2), inner=dict(b=Step)), Step()]
    assert plain_steps(steps) == [
        dict(type='A', size=[1, 2], inner=dict(b=str(Step))),
        dict(type='Step')
    ]
