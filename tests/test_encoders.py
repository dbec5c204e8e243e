"""Other encoders than UmURL's serve everywhere, by their configs."""
import json

import mmengine
import numpy as np
import pytest
from conftest import REPO, make_annotations
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from tools_loading import load_script, page_blocks

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.apis.deploy import FORMATS, DeployModel, export

CONFIGS = REPO / 'configs' / 'umurl'
VARIANTS = REPO / 'configs' / 'variants.md'
BASES = {
    path.stem: Config.fromfile(path)
    for path in (REPO / 'configs/_base_/models').glob('*.py')
}
# An encoder's file has no model: it goes into the model of any config.
ENCODERS = {
    name: base.encoder
    for name, base in BASES.items()
    if 'encoder' in base and 'model' not in base
}


def narrow(name):
    encoder = ENCODERS[name].copy()
    if 'trunk' in encoder:
        trunk = encoder.trunk.to_dict()
        trunk.update(base_channels=8, num_stages=2, down_stages=[2])
        encoder.trunk = trunk
    else:
        encoder.embed_dims = 16
    return encoder


def config(name, folder, encoder):
    cfg = Config.fromfile(CONFIGS / name)
    cfg.model.backbone = narrow(encoder)
    loaders = [
        cfg[key] for key in ('train_dataloader', 'val_dataloader',
                             'test_dataloader') if key in cfg
    ] + [cfg.model[key] for key in ('gallery', ) if key in cfg.model]
    for loader in loaders:
        loader.update(batch_size=6, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = str(folder / 'tiny.pkl')
    cfg.update(work_dir=str(folder), experiment_name=folder.name)
    return cfg


@pytest.fixture(scope='module', params=['stgcnpp', 'dste', 'hico_encoder'])
def inferencer(request, tmp_path_factory):
    """An encoder after two steps of pre-training, with a gallery."""
    init_default_scope('mmaction')
    folder = tmp_path_factory.mktemp(request.param)
    mmengine.dump(make_annotations(num_train=12), str(folder / 'tiny.pkl'))
    cfg = config('pretrain/umurl_1xb64_synthetic.py', folder, request.param)
    cfg.model.neck.out_channels = 24
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.collapse_monitor.interval = 1
    Runner.from_cfg(cfg).train()
    made = UmURLInferencer(
        config('knn/umurl-knn_synthetic.py', folder, request.param),
        folder / 'epoch_1.pth',
        device='cpu')
    made.folder = folder
    return made


def test_pre_training_is_monitored(inferencer):
    path, = inferencer.folder.glob('*/vis_data/scalars.json')
    log = [json.loads(line) for line in path.read_text().splitlines()]
    assert sum('collapse/effective_rank' in line for line in log) == 2
    for kind in ('fused', 'joint', 'bone', 'motion'):
        assert sum(f'retrieval/{kind}_top1' in line for line in log) == 2


def test_a_clip_of_the_gallery_finds_itself(inferencer):
    clips = make_annotations(num_train=12)['annotations'][:12]
    result = inferencer(clips)
    width = inferencer.model.backbone.out_channels
    assert result['features'].shape == (12, width)
    # Two steps do not tell all clips apart.
    np.testing.assert_allclose(result['similarities'][:, 0], 1, atol=1e-5)
    assert (result['nearest_labels'][:, 0] == result['labels']).all()


def test_exports_equal_the_model(inferencer, tmp_path):
    # A program is what an ONNX file is made of; one of them takes seconds.
    gcn = 'trunk' in inferencer.cfg.model.backbone
    format = 'torch_export' if gcn else 'torchscript'
    path = tmp_path / f'model{FORMATS[format].suffix}'
    # It compares batches of several sizes and lengths, or raises.
    assert export(DeployModel(inferencer), format, path) < 1e-4


def test_flops_of_a_fused_encoder_and_of_late_fusion():
    tool = load_script(REPO / 'tools/analysis/get_flops.py')
    cfg = Config.fromfile(CONFIGS / 'pretrain/umurl_1xb64_synthetic.py')
    cfg.model.backbone = narrow('stgcnpp')
    fused, stream, late = tool.compare(cfg, 4)
    # Two more embeddings: coordinates to 16 channels, for joints and frames.
    assert fused.test_flops - stream.test_flops == 2 * 2 * 2 * 64 * 25 * 3 * 16
    assert late.test_flops == 3 * stream.test_flops


def test_the_pages_encoders_are_the_configs():
    text = VARIANTS.read_text()
    section = text.partition('\n## Encoders\n')[2].partition('\n## ')[0]
    rows = [line for line in section.splitlines() if '.py`' in line]
    named = {name for name in ENCODERS
             if any(f'`{name}.py`' in row for row in rows)}
    assert named == set(ENCODERS)


def test_the_pages_config_is_built(tmp_path):
    code, = (block for block in page_blocks(VARIANTS, 'python')
             if 'aagcn' in block)
    path = tmp_path / 'my_aagcn.py'
    path.write_text(code.replace('umurl_mmaction::', f'{REPO}/configs/'))
    cfg = Config.fromfile(path)
    assert cfg.model.backbone.trunk.type == 'AAGCN'
    assert cfg.model.backbone.graph_cfg.layout == 'kinect-v1'
