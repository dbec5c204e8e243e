"""Each normalisation is the same in a config, an inferencer and a file."""
import mmengine
import numpy as np
import pytest
import torch
from conftest import make_annotations
from mmaction.registry import DATASETS
from tiny_models import save_weights, tiny_config

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.apis.deploy import FORMATS, DeployModel, export


def spoil(data, coords):
    """Joints and frames that nobody saw."""
    for clip in data['annotations']:
        if coords == 2:
            clip['keypoint'] = 900 + 100 * clip['keypoint']
        clip['keypoint'][0, :3] = clip['keypoint'][0, 9] = 0
        clip['keypoint'][:, 5:8, 2] = 0


@pytest.mark.parametrize('coords, settings', [
    (3, dict(rotation='vertical')),
    (3, dict(rotation='vertical', up='z')),
    (3, dict(rotation='none')),
    (3, dict(scale=0.37)),
    (2, dict(scale_by='body')),
], ids=str)  # yapf: disable
def test_one_normalisation_everywhere(tmp_path, coords, settings):
    num_joints = 20 if coords == 3 else 17
    data = make_annotations(num_joints=num_joints, coords=coords)
    spoil(data, coords)
    file = str(tmp_path / 'set.pkl')
    mmengine.dump(data, file)
    cfg = tiny_config(file)
    layout = 'kinect-v1' if coords == 3 else 'coco'
    cfg.model.backbone.update(
        graph_cfg=dict(layout=layout), in_channels=coords)
    step = dict(type='SkeletonPreNormalize', layout=layout, **settings)
    if coords == 2:
        step = dict(type='SkeletonPreNormalize2D', **settings)
    for loader in (cfg.test_dataloader, cfg.model.gallery):
        loader.dataset.prepare = [step]
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    inferencer = UmURLInferencer(
        cfg, save_weights(cfg, tmp_path / 'weights.pth'), device='cpu')
    path = tmp_path / 'model.pt'
    export(DeployModel(inferencer), 'torchscript', path)
    run = FORMATS['torchscript'].load(path, torch.device('cpu'))

    names = {x['frame_dir']: x for x in data['annotations']}
    clips = [names[name] for name, _ in dataset.labels]
    features = inferencer(clips)['features']
    for i, clip in enumerate(clips):
        inputs = dataset[i]['inputs']
        assert torch.equal(
            inferencer.pipeline(
                dict(clip, keypoint=clip['keypoint'].copy(), start_index=0,
                     modality='Pose'))['inputs'], inputs)
        with torch.no_grad():
            own = inferencer.model.backbone(inputs)
        np.testing.assert_allclose(own, features[i:i + 1], atol=1e-5)
        raw = torch.from_numpy(clip['keypoint'])[None]
        if raw.shape[1] == 1:  # an export wants as many bodies as the model
            raw = torch.cat([raw, torch.zeros_like(raw)], dim=1)
        exported, = run(raw)
        np.testing.assert_allclose(exported, own, atol=1e-4)
