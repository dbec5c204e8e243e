"""A trained encoder on clips as they come."""
import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmengine.config import Config
from tiny_models import (
    KNN,
    LINEAR,
    PRETRAIN,
    run_test_loop,
    save_weights,
    tiny_config,
    tiny_options,
)

from umurl_mmaction.apis import ClipPipeline, UmURLInferencer, load_config
from umurl_mmaction.apis.clips import make_results
from umurl_mmaction.skeleton.modalities import generate_modalities

DATA = make_annotations()
VAL = DATA['annotations'][12:]
TRAIN = DATA['annotations'][:12]
ARRAYS = [x['keypoint'] for x in VAL]


@pytest.fixture(scope='module')
def built(ann_file, tmp_path_factory):
    """Config and checkpoint of a classifier and a retrieval model."""
    folder = tmp_path_factory.mktemp('weights')
    made = {}
    for name in (LINEAR, KNN):
        cfg = tiny_config(ann_file, name)
        path = folder / name.replace('/', '-')
        made[name] = cfg, save_weights(cfg, path.with_suffix('.pth'))
    return made


@pytest.fixture
def infer(built):
    """An inferencer of the classifier, or of the model named."""

    def make(name=LINEAR, change=None, **kwargs):
        cfg, checkpoint = built[name]
        return UmURLInferencer(
            cfg, checkpoint, device='cpu', cfg_options=change, **kwargs)

    return make


# The same numbers as the stock test loop


@pytest.mark.parametrize('name', [LINEAR, KNN])
@pytest.mark.parametrize('clips', [ARRAYS, VAL], ids=['arrays', 'dicts'])
def test_equals_the_stock_test_loop(built, infer, tmp_path, name, clips):
    expected = run_test_loop(*built[name], tmp_path)
    result = infer(name, batch_size=4)(clips)
    assert len(result['scores']) == len(expected) == 6
    for score, label, sample in zip(result['scores'], result['labels'],
                                    expected):
        np.testing.assert_array_equal(score, sample.pred_score)
        assert label == sample.pred_label


def test_equals_the_test_loop_on_clips_in_half_precision(built, infer,
                                                         tmp_path):
    """As in the released pickles; the dataset keeps what it prepares so."""
    data = make_annotations()
    for clip in data['annotations']:
        clip['keypoint'] = clip['keypoint'].astype(np.float16)
    mmengine.dump(data, str(tmp_path / 'half.pkl'))
    cfg, checkpoint = built[LINEAR]
    cfg = load_config(
        cfg, {'test_dataloader.dataset.ann_file': str(tmp_path / 'half.pkl')})
    expected = run_test_loop(cfg, checkpoint, tmp_path)
    scores = infer(batch_size=4)(data['annotations'][12:])['scores']
    for score, sample in zip(scores, expected):
        np.testing.assert_array_equal(score, sample.pred_score)


def test_features_are_those_of_the_models_own_steps(built, infer):
    inferencer = infer()
    features = inferencer(ARRAYS)['features']
    assert features.shape == (6, 32) and features.dtype == np.float32
    backbone = inferencer.model.backbone
    with torch.no_grad():
        expected = torch.cat([
            backbone(inferencer.pipeline(dict(x))['inputs']) for x in VAL
        ])
    np.testing.assert_allclose(features, expected, atol=1e-6)


def test_transforms_that_a_dataset_runs_once_are_run(infer):
    inferencer = infer()
    dataset = inferencer.cfg.test_dataloader.dataset
    whole = [*dataset.prepare, *dataset.pipeline]
    assert len(inferencer.pipeline.transforms) == len(whole)
    in_pipeline = ClipPipeline(dict(pipeline=whole))
    torch.testing.assert_close(
        in_pipeline(dict(VAL[0]))['inputs'],
        inferencer.pipeline(dict(VAL[0]))['inputs'], rtol=0, atol=0)


def test_the_pages_python_runs(built, infer, ann_file, tmp_path, monkeypatch):
    page = (REPO / 'tools' / 'deploy' / 'README.md').read_text()
    code = page.partition('```python')[2].partition('```')[0]
    assert "'umurl-knn_synthetic.py', 'CKPT'" in code
    for i, clip in enumerate(ARRAYS[:2], 1):
        np.save(tmp_path / f'clip{i}.npy', clip)
    monkeypatch.chdir(tmp_path)
    built[KNN][0].dump('tiny.py')
    code = code.replace("'umurl-knn_synthetic.py', 'CKPT'",
                        f"'tiny.py', {built[KNN][1]!r}")
    found = {}
    exec(code, found)
    expected = infer(KNN, num_nearest=3)(ARRAYS[:2])
    assert found['result']['nearest_names'].shape == (2, 3)
    for key, value in expected.items():
        np.testing.assert_array_equal(found['result'][key], value)


# What may be given


def test_one_clip_and_a_batch_of_one_length(infer):
    inferencer = infer()
    whole = inferencer(ARRAYS)['features']
    for one in (ARRAYS[1], VAL[1]):
        features = inferencer(one)['features']
        np.testing.assert_allclose(features, whole[1:2], atol=1e-6)
    batch = np.stack([ARRAYS[1][:, :20], ARRAYS[3][:, :20]])
    np.testing.assert_allclose(
        inferencer(batch)['features'], inferencer(list(batch))['features'])
    np.testing.assert_array_equal(
        inferencer(torch.from_numpy(batch))['features'],
        inferencer(batch)['features'])
    np.testing.assert_array_equal(
        inferencer(torch.from_numpy(ARRAYS[1]))['features'],
        inferencer(ARRAYS[1])['features'])
    alone = ARRAYS[0][:1]
    np.testing.assert_array_equal(
        inferencer([alone[0]])['features'], inferencer([alone])['features'])


def test_clips_are_left_as_they_are(infer):
    before = [x.copy() for x in ARRAYS]
    infer()(VAL + ARRAYS)
    for one, other in zip(before, ARRAYS):
        np.testing.assert_array_equal(one, other)


def test_arrays_of_an_annotation_are_not_shared():
    clip = dict(VAL[0], keypoint_score=np.ones(VAL[0]['keypoint'].shape[:3]))
    make_results(clip, 'a')['keypoint_score'][:] = 0
    assert clip['keypoint_score'].all()


def test_other_number_types_and_batch_sizes_change_nothing(infer):
    expected = infer()(ARRAYS)['scores']
    doubles = [x.astype(np.float64) for x in ARRAYS]
    for size in (1, 4, 6):
        np.testing.assert_allclose(
            infer(batch_size=size)(doubles)['scores'], expected, atol=1e-6)


def test_streams_at_hand(infer):
    inferencer = infer()
    backbone = inferencer.model.backbone
    joints = torch.randn(3, 2, 64, 25, 3)
    streams = generate_modalities(joints, ('joint', 'bone'), backbone.layout)
    with torch.no_grad():
        expected = {
            'both': backbone(streams),
            'bone': backbone(dict(bone=streams['bone']))
        }
    arrays = {name: stream.numpy() for name, stream in streams.items()}
    got = inferencer(arrays)
    np.testing.assert_allclose(got['features'], expected['both'], atol=1e-6)
    assert got['scores'].shape == (3, 3)
    got = inferencer(dict(bone=arrays['bone'][0]))
    np.testing.assert_allclose(
        got['features'], expected['bone'][:1], atol=1e-6)
    got = inferencer.extract_features(arrays, ('fused', 'bone'))
    np.testing.assert_allclose(got['bone'], expected['bone'], atol=1e-6)


def test_features_of_single_modalities(infer):
    inferencer = infer(batch_size=4)
    got = inferencer.extract_features(ARRAYS, ('motion', 'fused', 'joint'))
    assert list(got) == ['motion', 'fused', 'joint']
    np.testing.assert_array_equal(got['fused'], inferencer(ARRAYS)['features'])
    for name in ('motion', 'joint'):
        # The same weights, given to a model of that modality.
        alone = infer(
            change={'model.backbone.modalities': (name, )}, batch_size=4)
        np.testing.assert_allclose(
            got[name], alone(ARRAYS)['features'], atol=1e-6)
    with pytest.raises(ValueError, match="no 'depth' feature, only fused, j"):
        inferencer.extract_features(ARRAYS, ('depth', ))


@pytest.mark.parametrize('change', [
    {'prepare.0.rotation': 'none'},
    {'pipeline.0.clip_len': 32},
    {'nonfinite': 'missing'},
], ids=str)
def test_the_fingerprint_follows_the_preparation(infer, change):
    change = {f'test_dataloader.dataset.{k}': x for k, x in change.items()}
    assert infer().fingerprint == infer().fingerprint
    assert infer(change=change).fingerprint != infer().fingerprint


def test_the_fingerprint_follows_the_modalities(infer, monkeypatch):
    inferencer = infer()
    whole = inferencer.fingerprint
    monkeypatch.setattr(inferencer.model.backbone, 'modalities', ('joint', ))
    assert inferencer.fingerprint != whole


# The gallery


def test_nearest_clips_are_those_of_brute_force(infer):
    inferencer = infer(KNN, num_nearest=3, batch_size=4)
    result = inferencer(ARRAYS)
    gallery = inferencer.extract_features(TRAIN)['fused']
    query = result['features']
    cosine = (query / np.linalg.norm(query, axis=1, keepdims=True)) @ (
        gallery / np.linalg.norm(gallery, axis=1, keepdims=True)).T
    order = np.argsort(-cosine)[:, :3]
    names = np.array([x['frame_dir'] for x in TRAIN])
    labels = np.array([x['label'] for x in TRAIN])
    np.testing.assert_array_equal(result['nearest_names'], names[order])
    np.testing.assert_array_equal(result['nearest_labels'], labels[order])
    np.testing.assert_allclose(
        result['similarities'], np.take_along_axis(cosine, order, 1),
        atol=1e-5)
    # One votes in the config, however many are named.
    np.testing.assert_array_equal(result['labels'], labels[order[:, 0]])


def test_the_gallery_is_encoded_once(infer):
    inferencer = infer(KNN)
    encoder = inferencer.model.backbone.encoder['temporal']
    passes = []
    encoder.register_forward_hook(
        lambda module, inputs, output: passes.append(len(output)))
    inferencer(ARRAYS)
    inferencer(ARRAYS)
    assert sum(passes) == 12 + 6 + 6
    # Features alone do not need it.
    passes.clear()
    other = infer(KNN, {'model.gallery.dataset.ann_file': 'lost.pkl'})
    other.extract_features(ARRAYS)
    with pytest.raises(FileNotFoundError, match="'lost.pkl' is not there"):
        other(ARRAYS)


# Precision


@pytest.mark.parametrize('precision', ['bf16', 'fp16'])
@pytest.mark.parametrize('name', [LINEAR, KNN])
def test_half_precision_is_close(infer, precision, name):
    full, half = (
        infer(name, precision=p)(ARRAYS) for p in ('fp32', precision))
    for key in full:
        assert full[key].dtype == half[key].dtype
    difference = np.abs(full['features'] - half['features']).max()
    assert 0 < difference < 0.1
    np.testing.assert_allclose(half['scores'], full['scores'], atol=0.05)


# Configs and checkpoints


@pytest.mark.parametrize('config', [
    'umurl-linear_synthetic.py', 'umurl-linear_synthetic',
    REPO / 'configs/umurl/linear/umurl-linear_synthetic.py',
    'umurl_mmaction::umurl/linear/umurl-linear_synthetic.py'
])
def test_configs_by_name(built, ann_file, infer, config):
    inferencer = UmURLInferencer(
        config,
        built[LINEAR][1],
        device='cpu',
        cfg_options=tiny_options(ann_file, LINEAR))
    np.testing.assert_array_equal(
        inferencer(ARRAYS)['scores'], infer()(ARRAYS)['scores'])


def test_a_config_that_is_given_stays_as_it_is(built):
    cfg = built[LINEAR][0]
    before = cfg.pretty_text
    load_config(cfg, {'model.backbone.embed_dims': 8})
    assert cfg.pretty_text == before


@pytest.mark.shared
def test_the_papers_checkpoint(shared, ann_file):
    path = shared('fixtures/golden/model_h32.pth.tar')
    inferencer = UmURLInferencer(
        tiny_config(ann_file), path, device='cpu',
        cfg_options={'model.backbone.embed_dims': 32})
    weights = torch.load(path, weights_only=True)['state_dict']
    torch.testing.assert_close(
        inferencer.model.backbone.encoder['temporal'].layers[0].linear1.weight,
        weights['module.backbone.ma_encoder.t_tr.layers.0.linear1.weight'])


@pytest.mark.parametrize('kwargs, message', [
    (dict(precision='int8'), "precision='int8' must be one of fp32, bf16"),
    (dict(batch_size=0), 'batch_size=0 and num_nearest=None must be at'),
    (dict(device='cuda:99'), "device 'cuda:99' is not there"),
    (dict(device='gpu'), "device 'gpu' is none that torch knows"),
    (dict(device='meta'), "device 'meta' computes nothing"),
])
def test_settings_that_cannot_be(built, kwargs, message):
    if torch.cuda.is_available() and 'cuda' in kwargs.get('device', ''):
        pytest.skip('there is a GPU')
    with pytest.raises(ValueError, match=message):
        UmURLInferencer(*built[LINEAR], **{'device': 'cpu', **kwargs})


def test_checkpoints_that_do_not_fit(built, ann_file, infer, tmp_path):
    pretrain = tiny_config(ann_file, PRETRAIN)
    checkpoint = save_weights(pretrain, tmp_path / 'pretrain.pth')
    with pytest.raises(ValueError, match='pretrain.pth has no cls_head.fc.w'):
        UmURLInferencer(built[LINEAR][0], checkpoint, device='cpu')
    with pytest.raises(ValueError, match='has no test pipeline: .*knn'):
        UmURLInferencer(pretrain, checkpoint, device='cpu')
    with pytest.raises(ValueError, match='cls_head.fc.weight of shape .3, 32'):
        infer(change={'model.cls_head.num_classes': 5})
    with pytest.raises(ValueError, match='must be those of the pre-training'):
        infer(change={'model.backbone.clip_len': 32})
    with pytest.raises(FileNotFoundError, match='lost.pth'):
        UmURLInferencer(built[LINEAR][0], 'lost.pth', device='cpu')
    with pytest.raises(FileNotFoundError, match="config 'lost.py' is neither"):
        UmURLInferencer('lost.py', checkpoint)
    # Of a pre-training, projectors and all, retrieval wants the encoder.
    cfg, _ = built[KNN]
    result = UmURLInferencer(cfg, checkpoint, device='cpu')(ARRAYS)
    assert result['nearest_names'].shape == (6, 1)


# Clips that are none


@pytest.mark.parametrize('clips, message', [
    ([], 'the list is empty'),
    (np.zeros((25, 3)), r'clip 0 is float64 \(25, 3\); wanted are numbers'),
    ([ARRAYS[0], np.zeros((2, 0, 25, 3))], r'clip 1 is float64 \(2, 0, 25'),
    ([np.full((1, 2, 25, 3), 'a')], 'clip 0 is <U1'),
    ([ARRAYS[0].tolist()], 'clip 0 is a list; wanted is an array'),
    (['clip.npy'], 'clip 0 is a str; wanted is an array'),
    ([dict(frame_dir='a')], 'clip 0 is a dict without keypoint'),
    (np.zeros((1, 4, 17, 3)), 'wants 25 joints'),
    (np.where(np.arange(150).reshape(1, 2, 25, 3) == 80, np.nan, 1),
     'clip 0 is not finite at body 0, frame 1, joint 1'),
    (dict(VAL[0], keypoint=VAL[0]['keypoint'] * np.inf),
     f'{VAL[0]["frame_dir"]} is not finite'),
    (np.where(np.arange(150).reshape(1, 2, 25, 3) == 80, 1e30, 1),
     'clip 0 has the coordinate .* at body 0, frame 1, joint 0, after'),
    (dict(joint=np.full((2, 64, 25, 3), 1e30)),
     "the feature of clip 'clip 0' is not finite"),
    (dict(joint=np.zeros((64, 25, 3))), "'joint' stream has shape"),
    (dict(joint=np.zeros((2, 64, 25, 3)), bone=np.zeros((3, 2, 64, 25, 3))),
     "numbers of clips: {'joint': 1, 'bone': 3}"),
    (dict(joint=np.zeros((2, 32, 25, 3))), r'wanted is \(N, 2, 64, 25, 3\)'),
    (dict(depth=np.zeros((2, 64, 25, 3))), "unknown modality 'depth'"),
])
@pytest.mark.filterwarnings('ignore:invalid value')
def test_what_is_no_clip_is_named(infer, clips, message):
    with pytest.raises(ValueError, match=message):
        infer()(clips)


def test_missing_joints_as_the_dataset_treats_them(infer):
    clip = ARRAYS[0].copy()
    clip[0, 3, 5] = np.nan
    change = {'test_dataloader.dataset.nonfinite': 'missing'}
    got = infer(change=change)(clip)['features']
    clip[0, 3, 5] = 0
    np.testing.assert_array_equal(got, infer()(clip)['features'])


# MMAction2's own functions


def pose_results(rng):
    """What MMPose gives: a dict a frame, with 0 to 3 people in it."""
    return [
        dict(
            keypoints=rng.uniform(0, 1000, (count, 17, 2)).astype('f'),
            keypoint_scores=rng.random((count, 17)).astype('f'))
        for count in (1, 2, 0, 3, 1, 1)
    ]


@pytest.mark.parametrize('kind', ['linear', 'knn'])
def test_mmactions_inference_skeleton(tmp_path, kind):
    from mmaction.apis import inference_skeleton, init_recognizer
    mmengine.dump(
        make_annotations(num_joints=17, coords=2), str(tmp_path / '2d.pkl'))
    experiment = {'linear': '1xb512-150e', 'knn': '1xb512'}[kind]
    name = f'umurl-{kind}_{experiment}_ntu60-xsub-keypoint-2d.py'
    cfg = Config.fromfile(REPO / 'configs' / 'umurl' / kind / name)
    cfg.model.backbone.embed_dims = 16
    if kind == 'linear':
        cfg.model.cls_head.update(in_channels=32, num_classes=3)
    else:
        cfg.model.gallery.update(batch_size=4, num_workers=0)
        cfg.model.gallery.dataset.update(
            ann_file=str(tmp_path / '2d.pkl'), split='train')
    path = tmp_path / name
    cfg.dump(path)
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    poses = pose_results(np.random.default_rng(0))

    model = init_recognizer(str(path), checkpoint, device='cpu')
    sample = inference_skeleton(model, poses, (1080, 1920))
    assert sample.pred_score.shape == (3, )

    keypoint = np.zeros((3, 6, 17, 2), np.float16)
    for frame, pose in enumerate(poses):
        people = pose['keypoints']
        keypoint[:len(people), frame] = people
    annotation = dict(keypoint=keypoint, img_shape=(1080, 1920))
    result = UmURLInferencer(path, checkpoint, device='cpu')(annotation)
    np.testing.assert_array_equal(result['scores'][0], sample.pred_score)
    assert result['labels'] == sample.pred_label


def test_mmactions_inference_recognizer_on_a_3d_annotation(built, infer):
    from mmaction.apis import inference_recognizer, init_recognizer
    model = init_recognizer(*built[LINEAR], device='cpu')
    sample = inference_recognizer(model, dict(VAL[0]))
    np.testing.assert_array_equal(
        sample.pred_score, infer()(VAL[0])['scores'][0])
