"""What an exported model computes, before it is traced."""
import numpy as np
import pytest
import torch
from tiny_models import LINEAR, save_weights, tiny_config

from umurl_mmaction.apis import UmURLInferencer, deploy
from umurl_mmaction.datasets.transforms import SkeletonPreNormalize2D
from umurl_mmaction.skeleton import LAYOUTS


@pytest.fixture
def make_inferencer(tmp_path):

    def make(average='prob'):
        cfg = tiny_config('none.pkl', LINEAR)
        checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
        cfg.model.cls_head.average_clips = average
        return UmURLInferencer(cfg, checkpoint, device='cpu')

    return make


@pytest.mark.parametrize('settings', [
    dict(img_shape=(480, 640)),
    dict(score_thr=0.5, with_score=True),
    dict(scale_by='body', score_thr=0.5, with_score=True)
], ids=str)
def test_2d_keypoints_are_scaled_as_the_config_says(settings):
    step = SkeletonPreNormalize2D(**settings)
    coords = 2 + step.with_score
    clip = np.random.random((2, 5, 17, coords)).astype(np.float32)
    clip[..., :2] *= 480
    traced, = deploy.traceable_steps([step], LAYOUTS['coco'])
    np.testing.assert_allclose(
        traced(torch.from_numpy(clip)[None])[0],
        step(dict(keypoint=clip.copy()))['keypoint'], atol=1e-6)


@pytest.mark.parametrize('average', ['prob', 'score', None])
def test_scores_are_those_of_the_classifiers_setting(make_inferencer, average):
    inferencer = make_inferencer(average)
    clip = np.random.random((2, 20, 25, 3)).astype(np.float32)
    _, scores = deploy.DeployModel(inferencer)(torch.from_numpy(clip)[None])
    np.testing.assert_allclose(
        scores, inferencer(clip)['scores'].reshape(1, -1), atol=1e-4)


def test_a_file_that_differs_by_a_percent_is_not_written(
        make_inferencer, tmp_path, monkeypatch):
    model = deploy.DeployModel(make_inferencer())
    monkeypatch.setitem(
        deploy.FORMATS, 'other', deploy.Format(
            '.txt', lambda model, path: path.write_text('a model'),
            lambda path, device: lambda joints: [
                1.01 * x for x in model(joints)]))
    with pytest.raises(RuntimeError, match='differs by 0.0[01]'):
        deploy.export(model, 'other', tmp_path / 'model.txt')
    assert not (tmp_path / 'model.txt').exists()
