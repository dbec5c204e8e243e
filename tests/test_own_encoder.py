"""The page's encoder of a few lines serves everywhere."""
import json
import sys
from types import ModuleType

import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from tools_loading import load_script, page_files, write_page_configs

from umurl_mmaction.apis import UmURLInferencer, load_config
from umurl_mmaction.apis.deploy import DeployModel, export

CONFIGS = REPO / 'configs' / 'umurl'
PAGE = REPO / 'tools' / 'extending.md'

# As the configs of the page import it: once in a process.
sys.modules['my_encoder'] = ModuleType('my_encoder')
exec(page_files(PAGE)['my_encoder.py'], vars(sys.modules['my_encoder']))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Annotations, and a checkpoint of the encoder's pre-training."""
    path = tmp_path_factory.mktemp('own')
    mmengine.registry.init_default_scope('mmaction')
    mmengine.dump(make_annotations(num_train=24), str(path / 'tiny.pkl'))
    cfg = config(path, 'pretrain/umurl_1xb64_synthetic.py')
    cfg.model.neck.out_channels = 24
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.default_hooks.collapse_monitor.interval = 1
    Runner.from_cfg(cfg).train()
    return path


def config(folder, name):
    cfg = Config.fromfile(CONFIGS / name)
    cfg.model.backbone = dict(type='MeanEncoder', width=16)
    loaders = [
        cfg[key] for key in cfg if str(key).endswith('_dataloader')
    ]
    if 'gallery' in cfg.model:
        loaders.append(cfg.model.gallery)
    for loader in loaders:
        loader.update(batch_size=6, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = str(folder / 'tiny.pkl')
    if 'cls_head' in cfg.model:
        cfg.model.backbone.frozen = True
        cfg.model.cls_head.update(in_channels=16, num_classes=3)
    work_dir = folder / name.partition('/')[0]
    cfg.update(
        work_dir=str(work_dir),
        experiment_name=str(work_dir).replace('/', '-'),
        load_from=str(folder / 'pretrain/epoch_2.pth')
        if 'pretrain' not in name else None)
    return cfg


def test_pre_training_and_its_monitors(folder):
    path = next((folder / 'pretrain').glob('*/vis_data/scalars.json'))
    log = [json.loads(line) for line in path.read_text().splitlines()]
    assert sum('loss' in line for line in log) == 2
    for name in ('retrieval/fused_top1', 'retrieval/motion_top1'):
        assert sum(name in line for line in log) == 3
    assert sum('collapse/effective_rank' in line for line in log) == 8


def test_retrieval(folder):
    runner = Runner.from_cfg(config(folder, 'knn/umurl-knn_synthetic.py'))
    # The classes are three poses: hard to miss.
    assert runner.test()['acc/top1'] == 1


def test_linear_probe(folder):
    cfg = config(folder, 'linear/umurl-linear_synthetic.py')
    cfg.train_cfg.max_epochs = 40
    cfg.optim_wrapper.optimizer.lr = 1.
    runner = Runner.from_cfg(cfg)
    before = runner.model.backbone.fc.weight.clone()
    runner.train()
    assert not torch.equal(before, runner.model.backbone.fc.weight)  # loaded
    assert not runner.model.backbone.fc.weight.requires_grad
    assert runner.val_loop.run()['acc/top1'] == 1


def test_the_configs_of_the_page(tmp_path):
    write_page_configs(PAGE, tmp_path)
    sizes = []
    for name in ('my_mean.py', 'my_mean_knn.py'):
        model = MODELS.build(load_config(tmp_path / name).model)
        sizes.append({key: value.shape
                      for key, value in model.backbone.state_dict().items()})
        joints = torch.randn(3, *model.backbone.input_shape)
        assert model.backbone(joints).shape == (3, 64)
    assert sizes[0] == sizes[1]


def test_flops():
    tool = load_script(REPO / 'tools/analysis/get_flops.py')
    cfg = Config.fromfile(CONFIGS / 'pretrain/umurl_1xb64_synthetic.py')
    cfg.model.backbone = dict(type='MeanEncoder', width=16)
    cost = tool.measure('mean', cfg, 4)
    assert cost.test_flops == 2 * 2 * 2 * 25 * 3 * 16
    assert cost.test_params == 2 * 2 * 25 * 3 * 16 + 16


@pytest.fixture(scope='module')
def inferencer(folder):
    mmengine.registry.init_default_scope('mmaction')
    return UmURLInferencer(
        config(folder, 'knn/umurl-knn_synthetic.py'),
        folder / 'pretrain/epoch_2.pth',
        device='cpu')


def test_inference(inferencer):
    clips = make_annotations(num_train=24)['annotations'][24:]
    result = inferencer(clips)
    assert result['features'].shape == (6, 16)
    assert result['labels'].tolist() == [clip['label'] for clip in clips]
    kinds = inferencer.extract_features(clips, ('fused', 'bone'))
    np.testing.assert_allclose(kinds['fused'], result['features'], rtol=1e-5)
    assert kinds['bone'].shape == (6, 16)


def test_export(inferencer, tmp_path):
    model = DeployModel(inferencer)
    assert export(model, 'torchscript', tmp_path / 'mean.pt') < 1e-4


def test_a_checkpoint_of_another_encoder_is_refused(folder):
    cfg = config(folder, 'knn/umurl-knn_synthetic.py')
    cfg.model.backbone.width = 8
    with pytest.raises(ValueError, match='fc.weight') as error:
        UmURLInferencer(
            cfg, folder / 'pretrain/epoch_2.pth', device='cpu')
    assert '\n' not in str(error.value)
