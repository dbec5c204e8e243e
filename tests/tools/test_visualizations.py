"""The commands of tools/visualizations, on a few clips and a tiny encoder."""
import os
import subprocess
import sys

import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from tools_loading import load_script, refusal

import umurl_mmaction.visualization
from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.visualization import StripFigure
from umurl_mmaction.visualization.gallery import RIGHT_COLOR, WRONG_COLOR

TOOLS = REPO / 'tools' / 'visualizations'
PRETRAIN = REPO / 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'
KNN = REPO / 'configs/umurl/knn/umurl-knn_synthetic.py'
NAMES = ('browse_skeleton', 'confusion_matrix', 'feature_map',
         'retrieval_gallery', 'training_curves')
CLASSES = ['sit', 'stand', 'wave']


def load(name):
    return load_script(TOOLS / f'{name}.py')


def options(data, *loaders):
    """What a user would put on the command line."""
    settings = ['model.backbone.embed_dims=16']
    for loader in loaders:
        settings += [
            f'{loader}.dataset.ann_file={data}', f'{loader}.batch_size=4',
            f'{loader}.num_workers=0'
        ]
    return settings


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Data, a pre-training of one epoch and the dump of a test run."""
    mmengine.registry.init_default_scope('mmaction')
    path = tmp_path_factory.mktemp('pictures')
    mmengine.dump(
        dict(make_annotations(num_val=9), classes=CLASSES),
        str(path / 'tiny.pkl'))
    cfg = Config.fromfile(PRETRAIN)
    cfg.merge_from_dict({
        'train_dataloader.dataset.ann_file': str(path / 'tiny.pkl'),
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
        'train_cfg.max_epochs': 1,
        'model.backbone.embed_dims': 16,
        'model.neck.out_channels': 64,
        'work_dir': str(path / 'pretrain'),
        'experiment_name': 'pictures-pretrain'
    })
    Runner.from_cfg(cfg).train()
    cfg = knn_config(path)
    cfg.merge_from_dict({
        'load_from': str(path / 'pretrain' / 'epoch_1.pth'),
        'work_dir': str(path / 'knn'),
        'experiment_name': 'pictures-knn'
    })
    # What `mim test --dump` adds.
    cfg.test_evaluator = [
        cfg.test_evaluator,
        dict(type='DumpResults', out_file_path=str(path / 'result.pkl'))
    ]
    accuracy = Runner.from_cfg(cfg).test()['acc/top1']
    (path / 'accuracy.txt').write_text(str(accuracy))
    return path


def knn_config(folder):
    cfg = Config.fromfile(KNN)
    for loader in (cfg.test_dataloader, cfg.model.gallery):
        loader.update(batch_size=4, num_workers=0)
        loader.dataset.ann_file = str(folder / 'tiny.pkl')
    cfg.model.backbone.embed_dims = 16
    return cfg


def inferencer(folder):
    return UmURLInferencer(
        knn_config(folder),
        folder / 'pretrain' / 'epoch_1.pth',
        device='cpu',
        batch_size=4)


def queries(folder):
    return DATASETS.build(knn_config(folder).test_dataloader.dataset)


def unit_features(folder, clips):
    """Features of test clips, fused and of each modality, of length 1."""
    model = inferencer(folder)
    dataset = torch.utils.data.Subset(queries(folder), clips)
    features, _ = model.encode_dataset(dataset, model.kinds)
    return {
        kind: feature / np.linalg.norm(feature, axis=1, keepdims=True)
        for kind, feature in features.items()
    }


def run(folder, name, *args):
    """A command in ``folder``; what it printed."""
    done = subprocess.run(
        [sys.executable, TOOLS / f'{name}.py', *map(str, args)],
        cwd=folder,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def images(path):
    """Tags of the images that TensorBoard finds."""
    accumulator = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator')
    events = accumulator.EventAccumulator(str(path)).Reload()
    return events.Tags()['images']


def same_picture(first, second):
    first, second = Image.open(first), Image.open(second)
    return first.size == second.size and (
        np.asarray(first) == np.asarray(second)).all()


@pytest.mark.parametrize('name', NAMES)
def test_help_shows_an_example(name, tmp_path):
    output = run(tmp_path, name, '--help')
    assert f'python tools/visualizations/{name}.py ' in output
    assert all(option in output
               for option in ('--out', '--seed', '--tensorboard'))


def test_the_page_shows_every_tool_and_its_picture():
    page = (TOOLS / 'README.md').read_text()
    pictures = sorted((TOOLS / 'pictures').iterdir())
    assert {path.stem for path in pictures} >= set(NAMES)
    for name in NAMES:
        assert f'tools/visualizations/{name}.py' in page
    for path in pictures:
        assert f'(pictures/{path.name})' in page
        assert path.stat().st_size <= 60 * 1024


# Clips


def test_browse_skeleton(folder, tmp_path):

    def args(out, *clips):
        return [
            str(x) for x in (PRETRAIN, '--clips', *clips, '--frames', 2,
                             '--out', out, '--cfg-options',
                             *options(folder / 'tiny.pkl',
                                      'train_dataloader'))
        ]

    output = run(tmp_path, 'browse_skeleton', *args('a', 'clip003', '5'),
                 '--tensorboard', 'tb')
    assert output.endswith('2 pictures in a\n')
    assert sorted(path.name for path in (tmp_path / 'a').iterdir()) == [
        'clip003.png', 'clip005.png'
    ]
    assert images(tmp_path / 'tb') == ['clip/clip003', 'clip/clip005']

    # The same, alone; another seed gives other views.
    for seed, same in ((0, True), (1, False)):
        out = tmp_path / str(seed)
        load('browse_skeleton').main([*args(out, '5'), '--seed', str(seed)])
        assert same == same_picture(tmp_path / 'a' / 'clip005.png',
                                    out / 'clip005.png')


def test_browse_skeleton_as_an_animation_with_names(folder, tmp_path):
    load('browse_skeleton').main([
        str(PRETRAIN), '--clips', '0', '--format', 'gif', '--frames', '3',
        '--names',
        '--out', str(tmp_path), '--cfg-options',
        *options(folder / 'tiny.pkl', 'train_dataloader')
    ])
    assert Image.open(tmp_path / 'clip000.gif').n_frames == 3


def test_a_page_of_views_and_of_a_retrieval(folder, tmp_path):
    data = folder / 'tiny.pkl'
    load('browse_skeleton').main([
        str(PRETRAIN), '--clips', '0', '--format', 'html', '--out',
        str(tmp_path), '--cfg-options', *options(data, 'train_dataloader')
    ])
    load('retrieval_gallery').main([
        str(KNN), str(folder / 'pretrain' / 'epoch_1.pth'), '--queries', '0',
        '--format', 'html', '--neighbors', '2', '--out', str(tmp_path),
        '--cfg-options',
        *options(data, 'test_dataloader', 'model.gallery')
    ])
    pages = sorted(tmp_path.iterdir())
    assert [x.name for x in pages] == ['clip000.html', 'clip012.html']
    for page, titles in zip(pages, (['"raw"', '"normalised"', '"view 4'],
                                    ['"query', '"1: ', '"2: '])):
        text = page.read_text(encoding='utf-8')
        assert all(f'"title":{title}' in text for title in titles)


def test_browse_skeleton_titles(folder, tmp_path, monkeypatch):
    figures = []
    show = StripFigure.show

    def keep(self, first):
        figures.append(self)
        show(self, first)

    monkeypatch.setattr(StripFigure, 'show', keep)
    load('browse_skeleton').main([
        str(PRETRAIN), '--clips', 'clip001', '--out', str(tmp_path),
        '--cfg-options', *options(folder / 'tiny.pkl', 'train_dataloader')
    ])
    [figure] = figures
    assert figure.figure.get_suptitle() == 'clip001: stand'
    heads = [strip.title.splitlines()[0] for strip in figure.strips]
    assert heads == [
        'raw', 'normalised', 'view 1: joint', 'view 2: bone',
        'view 3: motion', 'view 4: all'
    ]


# Features


def test_feature_map(folder, tmp_path):
    out = tmp_path / 'out'
    checkpoint = folder / 'pretrain' / 'epoch_1.pth'
    args = [
        KNN, checkpoint, '--classes', 'wave', '0', '--out', out,
        '--tensorboard', tmp_path / 'tb', '--cfg-options',
        *options(folder / 'tiny.pkl', 'test_dataloader')
    ]
    output = run(tmp_path, 'feature_map', *args)
    assert f'6 clips of 2 classes in {out / "tsne.png"}' in output
    assert images(tmp_path / 'tb') == ['features/tsne']
    projector = tmp_path / 'tb' / 'projector'
    assert f'tensorboard --logdir {projector}' in output
    for _ in range(2):  # what is there is replaced
        load('feature_map').main([*map(str, args), '--method', 'pca'])
    assert sorted(x.name for x in out.iterdir()) == ['pca.png', 'tsne.png']
    dataset = queries(folder)
    chosen = [i for i, (_, label) in enumerate(dataset.labels) if label != 1]
    features = unit_features(folder, chosen)
    assert list(features) == ['fused', 'joint', 'bone', 'motion']
    config = (projector / 'projector_config.pbtxt').read_text()
    assert config.count('single_image_dim: 48') == 2 * 4
    for name, feature in features.items():
        part = projector / '00000' / name
        assert Image.open(part / 'sprite.png').size == (3 * 48, 3 * 48)
        assert config.count(f'"00000/{name}/tensors.tsv"') == 1
        np.testing.assert_allclose(
            np.loadtxt(part / 'tensors.tsv'), feature, rtol=1e-3, atol=1e-5)
        rows = (part / 'metadata.tsv').read_text().splitlines()
        assert rows == ['class\tclip'] + [
            f'{CLASSES[label]}\t{clip}'
            for clip, label in (dataset.labels[i] for i in chosen)
        ]


def test_a_feature_map_says_what_it_shows(folder, tmp_path, monkeypatch):
    figures = []
    save = umurl_mmaction.visualization.save_figure
    monkeypatch.setattr(
        'umurl_mmaction.visualization.save_figure', lambda figure, path:
        (figures.append(figure), save(figure, path)))
    load('feature_map').main([
        str(KNN), str(folder / 'pretrain' / 'epoch_1.pth'), '--classes',
        'wave', 'sit', '--per-class', '2', '--method', 'pca', '--out',
        str(tmp_path), '--cfg-options',
        *options(folder / 'tiny.pkl', 'test_dataloader')
    ])
    [figure] = figures
    assert ' '.join(figure.get_suptitle().split()) == (
        'PCA of 4 of 9 clips of test_dataloader; left out: 1 class (stand) '
        'and 2 clips beyond --per-class 1-NN: share of these clips whose '
        'nearest other one here is of the same class')
    titles = [axes.get_title() for axes in figure.axes]
    assert [title.split(':')[0] for title in titles] == [
        'fused', 'joint', 'bone', 'motion']
    rows = tmp_path / 'projector' / '00000' / 'fused' / 'metadata.tsv'
    names = [line.split('\t') for line in rows.read_text().splitlines()[1:]]
    clips = [int(clip[4:]) - 12 for _, clip in names]
    feature = unit_features(folder, clips)['fused']
    cosine = feature @ feature.T - 2 * np.eye(4)
    right = [names[i][0] == names[j][0]
             for i, j in enumerate(cosine.argmax(axis=1))]
    assert titles[0] == f'fused: 1-NN {100 * np.mean(right):.1f} %'


def test_features_are_those_of_the_streams(folder):
    """A modality's own feature is what the encoder makes of its stream."""
    dataset = queries(folder)
    features = unit_features(folder, range(len(dataset)))
    backbone = inferencer(folder).model.backbone
    # The encoder brings every clip to the same number of bodies.
    clips = [backbone.streams(dataset[i]['inputs']) for i in range(9)]
    streams = {
        name: torch.cat([clip[name] for clip in clips])
        for name in backbone.modalities
    }
    with torch.no_grad():
        for name, feature in features.items():
            chosen = streams if name == 'fused' else {name: streams[name]}
            wanted = torch.nn.functional.normalize(backbone(chosen))
            np.testing.assert_allclose(feature, wanted, rtol=1e-4, atol=1e-6)


def test_a_config_that_gives_no_features_is_refused(folder, capsys):
    line = refusal(
        load('feature_map'), capsys, PRETRAIN,
        folder / 'pretrain' / 'epoch_1.pth', '--loader', 'train_dataloader',
        '--out', folder / 'none', '--cfg-options',
        *options(folder / 'tiny.pkl', 'train_dataloader'))
    assert 'take the checkpoint with a retrieval config' in line
    assert not (folder / 'none').exists()


# Retrieval


def test_retrieval_gallery(folder, tmp_path, monkeypatch):
    checkpoint = str(folder / 'pretrain' / 'epoch_1.pth')
    args = [
        KNN, checkpoint, '--out', tmp_path / 'a', '--cfg-options',
        *options(folder / 'tiny.pkl', 'test_dataloader', 'model.gallery')
    ]
    output = run(tmp_path, 'retrieval_gallery', *args)
    assert output.endswith(f'3 pictures in {tmp_path / "a"}\n')
    assert len(list((tmp_path / 'a').glob('clip*.png'))) == 3

    figures = []
    show = StripFigure.show

    def keep(self, first):
        figures.append(self)
        show(self, first)

    monkeypatch.setattr(StripFigure, 'show', keep)
    load('retrieval_gallery').main(
        [*map(str, args), '--queries', 'clip012', 'clip013'])
    # The model's own search.
    data = mmengine.load(str(folder / 'tiny.pkl'))
    label = {x['frame_dir']: x['label'] for x in data['annotations']}
    model = inferencer(folder).model
    known = model.encoded_gallery.features
    dataset = queries(folder)
    for i, figure in enumerate(figures):
        with torch.no_grad():
            feature = model.backbone(dataset[i]['inputs'])[0]
        cosine = known @ feature / feature.norm()
        query, *found = figure.strips
        name = query.title.splitlines()[-1]
        assert name == f'clip{12 + i:03d}' and len(found) == 5
        for strip, index in zip(found, cosine.argsort(descending=True)):
            head, title, clip = strip.title.splitlines()
            assert clip == data['split']['train'][index]
            assert title == CLASSES[label[clip]]
            right = label[clip] == label[name]
            assert ('right' in head, 'wrong' in head) == (right, not right)
            assert strip.color == (RIGHT_COLOR if right else WRONG_COLOR)
            assert head.endswith(f'{cosine[index]:.3f}')
        assert query.color == found[0].color


def test_queries_that_miss_are_drawn(folder, tmp_path, capsys, monkeypatch):
    args = [
        str(KNN), str(folder / 'pretrain' / 'epoch_1.pth'), '--misses',
        '--frames', '1', '--neighbors', '1', '--out', str(tmp_path),
        '--cfg-options',
        *options(folder / 'tiny.pkl', 'test_dataloader', 'model.gallery')
    ]
    call = UmURLInferencer.__call__
    wrong = {1, 4}

    def miss(self, clips):
        found = call(self, clips)
        if len(clips) == 9:  # all queries
            for i, label in enumerate(found['nearest_labels']):
                label[0] = (i % 3 + (i in wrong)) % 3
        return found

    monkeypatch.setattr(UmURLInferencer, '__call__', miss)
    load('retrieval_gallery').main(args)
    assert '2 of 9 queries have a nearest clip of another class' in (
        capsys.readouterr().out)
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        'clip013.png', 'clip016.png'
    ]
    wrong.clear()
    line = refusal(load('retrieval_gallery'), capsys, *args)
    assert line == 'error: --misses finds nothing to draw'


def test_retrieval_needs_a_gallery(folder, tmp_path, capsys):
    line = refusal(
        load('retrieval_gallery'), capsys,
        REPO / 'configs/umurl/linear/umurl-linear_synthetic.py', 'a.pth',
        '--out', tmp_path / 'none')
    assert 'the config has no model.gallery' in line


# Results


def test_confusion_matrix_of_a_test_run(folder, tmp_path, capsys):
    out = tmp_path / 'a.png'
    args = [
        folder / 'result.pkl', '--out', out, '--tensorboard', tmp_path / 'tb',
        '--config', KNN, '--cfg-options',
        *options(folder / 'tiny.pkl', 'test_dataloader')
    ]
    output = run(tmp_path, 'confusion_matrix', *args)
    accuracy = 100 * float((folder / 'accuracy.txt').read_text())
    *_, sit, stand, wave, whole = output.splitlines()
    assert whole.split()[:4] == [f'{accuracy:.1f}', '%', 'of', '9']
    for line, name in zip((sit, stand, wave), CLASSES):
        assert line.split()[2:] == ['of', '3', name]
    assert min(Image.open(out).size) > 300
    assert images(tmp_path / 'tb') == ['confusion_matrix']

    (tmp_path / 'names.txt').write_text('a\nb\nc\n')
    load('confusion_matrix').main([
        str(folder / 'result.pkl'), '--out', str(out), '--class-names',
        str(tmp_path / 'names.txt')
    ])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[:3]] == ['a', 'b', 'c']


def test_training_curves(folder, tmp_path, capsys):
    out = tmp_path / 'a.png'
    run_dir = folder / 'pretrain'
    output = run(tmp_path, 'training_curves', run_dir, run_dir, '--legend',
                 'first', 'second', '--out', out, '--tensorboard',
                 tmp_path / 'tb')
    names = ', '.join([
        'loss', 'loss_intra', 'loss_inter', 'loss_var', 'loss_cov',
        *(f'collapse/{x}' for x in (
            'std', 'effective_rank', 'dead_share', 'agreement_joint',
            'agreement_bone', 'agreement_motion'))])
    assert output.endswith(f'{names} of 2 runs in {out}\n')
    assert images(tmp_path / 'tb') == ['training_curves']
    load('training_curves').main(
        [str(run_dir), '--keys', 'lr', '--x', 'epoch', '--out', str(out)])
    assert capsys.readouterr().out.endswith(f'lr of 1 runs in {out}\n')


# Misuse


@pytest.mark.parametrize('name, args, message', [
    ('browse_skeleton', ['a.py', '--frames', '0'], '--frames: must be at'),
    ('browse_skeleton', [PRETRAIN, '--loader', 'x'], "has no 'x', only"),
    ('feature_map', ['a.py', 'a.pth', '--per-class', '0'], '--per-class: mus'),
    ('retrieval_gallery', ['a.py', 'a.pth', '--neighbors', '0'],
     'argument --neighbors: must be at least 1, got 0'),
    ('browse_skeleton', ['a.py', '--frames', '0', '--format', 'html'],
     'argument --frames: must be at least 1, got 0'),
    ('browse_skeleton', ['a.py', '--out', 'clip.html'], '--out is a folder, '
     'got clip.html: wanted are --format html and a folder'),
    ('retrieval_gallery', ['a.py', 'a.pth', '--misses', '--queries', '1'],
     '--misses draws the queries itself: leave out --queries'),
    ('confusion_matrix', ['lost.pkl'], 'lost.pkl: No such file or directory'),
    ('training_curves', ['a', 'b', '--legend', 'a'], 'each of 2 runs, got 1'),
    ('training_curves', ['lost'], 'lost: there is no <timestamp>/vis_data'),
])
def test_misuse_ends_in_one_clear_line(name, args, message, capsys, tmp_path,
                                       monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refusal(load(name), capsys, *args)
    assert not list(tmp_path.iterdir())
