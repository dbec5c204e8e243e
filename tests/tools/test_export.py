"""Exported models give what the inferencer gives, from raw joints."""
import resource
import shutil
import signal

import mmengine
import numpy as np
import pytest
import torch
from child_process import outcomes
from conftest import REPO
from mmengine.config import Config
from tiny_models import KNN, LINEAR, save_weights, tiny_config
from tools_loading import load_script, refusal

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.apis import deploy as api
from umurl_mmaction.apis.deploy import FORMATS, DeployModel

CONFIG_2D = 'umurl-linear_1xb512-150e_ntu60-xsub-keypoint-2d.py'


@pytest.fixture(scope='module')
def tool():
    return load_script(REPO / 'tools' / 'deploy' / 'export.py')


@pytest.fixture(scope='module')
def inferencer(tmp_path_factory):
    """A classifier; its annotation file is not looked at."""
    folder = tmp_path_factory.mktemp('linear')
    cfg = tiny_config('none.pkl', LINEAR)
    cfg.dump(folder / 'linear.py')
    checkpoint = save_weights(cfg, folder / 'weights.pth')
    made = UmURLInferencer(folder / 'linear.py', checkpoint, device='cpu')
    made.folder = folder
    return made


@pytest.fixture(scope='module', params=sorted(FORMATS))
def file(request, tool, inferencer):
    """A classifier that the command has exported."""
    if request.param == 'onnx':
        for package in ('onnxruntime', 'onnxscript'):
            pytest.importorskip(package)
    folder = inferencer.folder
    path = folder / f'model{FORMATS[request.param].suffix}'
    tool.main([
        str(folder / 'linear.py'), str(folder / 'weights.pth'), '--out',
        str(path), '--format', request.param
    ])
    assert not list(folder.glob('.*'))
    return path


@pytest.fixture(scope='module')
def exported(file):
    """The same, ready to run."""
    name, = (x for x in FORMATS if FORMATS[x].suffix == file.suffix)
    return load_exported(name, file)


def load_exported(name, path):
    """An exported model as a function of arrays."""
    run = FORMATS[name].load(path, torch.device('cpu'))
    return lambda joints: [
        np.asarray(x) for x in run(torch.from_numpy(joints))
    ]


def two_bodies(clip):
    """(M, T, V, C) with the bodies that an export wants."""
    missing = np.zeros((2 - len(clip), *clip.shape[1:]), clip.dtype)
    return np.concatenate([clip, missing])


def assert_same(run, inferencer, clips):
    expected = inferencer(clips)
    for i, clip in enumerate(clips):
        features, scores = run(two_bodies(clip)[None])
        np.testing.assert_allclose(
            features, expected['features'][i:i + 1], atol=1e-4, rtol=0)
        np.testing.assert_allclose(
            scores, expected['scores'][i:i + 1], atol=1e-4, rtol=0)


def difficult_clips():
    rng = np.random.default_rng(0)

    def clip(num_frames, bodies=2):
        return rng.normal(size=(bodies, num_frames, 25, 3)).astype('f')

    late, gap, early, lost, half_turn = (clip(30) for _ in range(5))
    late[0, :4] = late[1, :9] = 0
    gap[0, 10:13] = gap[1, 5] = 0
    early[0, 20:] = early[1, 12:] = 0
    lost[0, :3] = lost[0, 7] = lost[0, 22:] = 0
    lost[1, 2:28] = 0
    lost[:, 15, 3:6] = 0
    half_turn[0, 0, 8] = half_turn[0, 0, 4] - [1, 0, 0]
    return [
        late, gap, early, lost, half_turn,
        clip(40, bodies=1),
        np.concatenate([np.zeros((1, 20, 25, 3), 'f'),
                        clip(20, bodies=1)]),
        np.zeros((2, 10, 25, 3), 'f'), *(clip(n) for n in (1, 2, 64, 200))
    ]


def test_generated_clips(exported, inferencer):
    assert_same(exported, inferencer, difficult_clips())


@pytest.mark.shared
def test_real_clips(exported, inferencer, shared):
    clips = mmengine.load(str(shared('data/gtu3d.pkl')))['annotations'][::60]
    clips = [x['keypoint'].astype('f') for x in clips]
    assert len({len(clip[0]) for clip in clips}) > 4
    assert_same(exported, inferencer, clips)


def test_clips_of_a_batch_do_not_mix(exported, inferencer):
    clips = np.stack([x for x in difficult_clips() if x.shape[1] == 30])
    expected = inferencer(list(clips))
    features, scores = exported(clips)
    np.testing.assert_allclose(features, expected['features'], atol=1e-4)
    np.testing.assert_allclose(scores, expected['scores'], atol=1e-4)


@pytest.mark.parametrize('file', ['onnx'], indirect=True)
def test_the_pages_python_runs(file, inferencer, tmp_path, monkeypatch):
    page = (REPO / 'tools' / 'deploy' / 'README.md').read_text()
    code, = (
        part.partition('```')[0] for part in page.split('```python')[1:]
        if 'onnxruntime' in part.partition('```')[0])
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, 'umurl.onnx')
    clip = difficult_clips()[5]
    np.save('clip1.npy', clip)
    found = {}
    exec(code, found)
    expected = inferencer(clip)
    for name in ('features', 'scores'):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


# Other models; traced only, which is quick


def test_retrieval_models_give_features(tool, tmp_path, ann_file, capsys):
    cfg = tiny_config(ann_file, KNN)
    cfg.dump(tmp_path / 'knn.py')
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    argv = [tmp_path / 'knn.py', checkpoint, '--format', 'torchscript']
    tool.main([*map(str, argv), '--out', str(tmp_path / 'knn.pt')])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == 'joints (N, 2, T, 25, 3) -> features'
    assert lines[-1] == f'written to {tmp_path / "knn.pt"}'
    clip = difficult_clips()[0]
    features, = load_exported('torchscript', tmp_path / 'knn.pt')(clip[None])
    cfg.model.gallery.dataset.ann_file = 'lost.pkl'
    expected = UmURLInferencer(cfg, checkpoint, device='cpu')
    np.testing.assert_allclose(
        features, expected.extract_features(clip)['fused'], atol=1e-4)


def test_2d_models(tmp_path):
    cfg = Config.fromfile(REPO / 'configs' / 'umurl' / 'linear' / CONFIG_2D)
    cfg.model.backbone.embed_dims = 16
    cfg.model.cls_head.update(in_channels=32, num_classes=3)
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    inferencer = UmURLInferencer(cfg, checkpoint, device='cpu')
    path = tmp_path / 'model.pt'
    api.export(DeployModel(inferencer), 'torchscript', path)
    rng = np.random.default_rng(0)
    clips = [
        rng.uniform(0, 1000, (bodies, num_frames, 17, 2)).astype('f')
        for bodies, num_frames in ((1, 20), (2, 64), (2, 90))
    ]
    # Missing joints, and a body that is missing for some time.
    clips[0][0, :5, 3] = clips[1][1, 40:] = 0
    assert_same(load_exported('torchscript', path), inferencer, clips)


# What cannot be exported


def test_pipelines_that_cannot_be_part_of_a_model(inferencer):
    cfg = inferencer.cfg.copy()
    pipeline = cfg.test_dataloader.dataset.pipeline
    checkpoint = inferencer.folder / 'weights.pth'

    def refuse(transform, message):
        pipeline[-2] = transform
        changed = UmURLInferencer(cfg, checkpoint, device='cpu')
        with pytest.raises(ValueError, match=message):
            DeployModel(changed)

    refuse(dict(type='TemporalCropResize'), 'crops at random')
    refuse(dict(type='PoseShear'), 'PoseShear of the test pipeline cannot be')


def test_a_file_that_gives_something_else_is_not_written(
        inferencer, tmp_path, monkeypatch):
    model = DeployModel(inferencer)
    monkeypatch.setattr(
        api, 'largest_difference', lambda model, run: float('nan'))
    (tmp_path / 'model.pt').write_text('the old one')
    with pytest.raises(RuntimeError, match='differs by nan'):
        api.export(model, 'torchscript', tmp_path / 'model.pt')
    assert [x.read_text() for x in tmp_path.iterdir()] == ['the old one']


def test_the_check_sees_a_difference(inferencer):
    model = DeployModel(inferencer)
    with torch.no_grad():
        assert api.largest_difference(model, model) == 0
        other = api.largest_difference(
            model, lambda joints: [1.01 * x for x in model(joints)])
    assert other == pytest.approx(0.01, rel=1e-3)


def full_disk(call):
    """Call with room for no file of more than 10 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit))
    call()


@pytest.mark.parametrize('format', ['torchscript', 'torch_export'])
def test_a_full_disk(inferencer, tmp_path, format):
    """torch itself would end the process with a signal."""
    path = tmp_path / f'model{FORMATS[format].suffix}'
    outcome, = outcomes(
        full_disk, [lambda: api.export(DeployModel(inferencer), format, path)],
        seconds=100, limit=8 << 30)
    assert outcome[0] == f"OSError: [Errno 27] File too large: '{path}'"
    assert not list(tmp_path.iterdir())


def test_wrong_suffix(tool, inferencer, capsys):
    folder = inferencer.folder
    line = refusal(tool, capsys, folder / 'linear.py', folder / 'weights.pth',
                   '--out', folder / 'model.pth')
    assert line.endswith(
        'format onnx is written to a .onnx file, not to model.pth')


def test_formats_of_the_command(tool):
    assert sorted(tool.FORMATS) == sorted(FORMATS)
