"""Pre-training, probing and retrieval on other joints than NTU's."""
import mmengine
import numpy as np
import pytest
from conftest import REPO
from mmengine.config import Config
from mmengine.runner import Runner

CUSTOM = dict(
    joints=[f'joint{v}' for v in range(20)],
    parents=[-1, *range(19)],
    center=2,
    shoulders=(4, 8))


def make_set(path, layout, num_joints, coords, num_person):
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(3, 1, 1, num_joints, coords))
    annotations = []
    for i in range(48):
        shape = (1 + i % num_person, int(rng.integers(1, 60)), num_joints,
                 coords)
        keypoint = poses[i % 3] + 0.05 * rng.normal(size=shape)
        annotations.append(
            dict(
                frame_dir=f'clip{i}',
                label=i % 3,
                total_frames=shape[1],
                keypoint=keypoint.astype(np.float32)))
    names = [x['frame_dir'] for x in annotations]
    mmengine.dump(
        dict(
            split=dict(train=names[:36], val=names[36:]),
            annotations=annotations,
            skeleton=layout,
            classes=['first', 'second', 'third']), path)


# The annotation file describes the data and is named once.
PRETRAIN = '''
_base_ = '{base}/pretrain/umurl_1xb64_synthetic.py'
data = dict(ann_file='{ann_file}')
model = dict(backbone=data)
train_dataloader = dict(dataset=data)
'''
KNN = '''
_base_ = '{base}/knn/umurl-knn_synthetic.py'
data = dict(ann_file='{ann_file}')
model = dict(backbone=data, gallery=dict(dataset=data))
test_dataloader = dict(dataset=data)
'''
LINEAR = '''
_base_ = '{base}/linear/umurl-linear_synthetic.py'
data = dict(ann_file='{ann_file}')
model = dict(backbone=data, cls_head=dict(data, num_classes=None))
train_dataloader = val_dataloader = test_dataloader = dict(dataset=data)
load_from = '{checkpoint}'
'''


@pytest.mark.parametrize('layout, num_joints, coords, num_person', [
    ('coco', 17, 2, 1),
    ('openpose', 18, 3, 2),
    (CUSTOM, 20, 3, 3),
])
def test_pretrain_probe_and_retrieve(tmp_path, layout, num_joints, coords,
                                     num_person):
    ann_file = str(tmp_path / 'set.pkl')
    make_set(ann_file, layout, num_joints, coords, num_person)
    checkpoint = str(tmp_path / 'epoch_1.pth')

    def build(text, **settings):
        path = tmp_path / 'own.py'
        path.write_text(
            text.format(
                base=REPO / 'configs' / 'umurl',
                ann_file=ann_file,
                checkpoint=checkpoint))
        cfg = Config.fromfile(path)
        for loader in ('train_dataloader', 'val_dataloader',
                       'test_dataloader'):
            if loader in cfg:
                cfg[loader].update(
                    batch_size=4, num_workers=0, persistent_workers=False)
        cfg.model.backbone.embed_dims = 16
        if 'gallery' in cfg.model:
            cfg.model.gallery.num_workers = 0
        if 'cls_head' in cfg.model:
            cfg.model.cls_head.in_channels = 32
        if 'train_cfg' in cfg:
            cfg.train_cfg.max_epochs = 1
        name = f'{tmp_path.name}-{len(text)}'
        cfg.update(work_dir=str(tmp_path), experiment_name=name, **settings)
        return Runner.from_cfg(cfg)

    build(PRETRAIN).train()
    knn = build(KNN, load_from=checkpoint)
    assert knn.model.backbone.input_shape == (num_person, 64, num_joints,
                                              coords)
    joints = layout['joints'] if isinstance(layout, dict) else []
    assert list(knn.model.backbone.layout.joints)[:len(joints)] == joints
    # The classes are three poses: hard to miss.
    assert knn.test()['acc/top1'] == 1
    linear = build(LINEAR)
    linear.train()
    assert linear.model.cls_head.num_classes == 3
    assert 0 <= linear.val_loop.run()['acc/top1'] <= 1


def test_another_skeleton_than_the_encoders_is_refused(tmp_path):
    ann_file = str(tmp_path / 'set.pkl')
    make_set(ann_file, dict(CUSTOM, name='mine'), 20, 3, 1)
    other = dict(CUSTOM, parents=[-1, 0] + [0] * 18)
    cfg = Config.fromfile(
        REPO / 'configs/umurl/pretrain/umurl_1xb64_synthetic.py')
    cfg.model.backbone.update(embed_dims=16, graph_cfg=dict(layout=other))
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = ann_file
    cfg.update(work_dir=str(tmp_path), experiment_name=tmp_path.name)
    with pytest.raises(ValueError, match="describes the skeleton 'mine'"):
        Runner.from_cfg(cfg).train()
