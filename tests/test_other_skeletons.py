"""Pre-training, probing and retrieval on other joints than NTU's."""
import mmengine
import numpy as np
import pytest
from conftest import REPO
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

CUSTOM = dict(
    joints=[f'joint{v}' for v in range(20)],
    parents=[-1, *range(19)],
    center=2,
    shoulders=(4, 8))


def make_set(path, num_joints, coords, num_person):
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
            annotations=annotations), path)


def adapt(node, changes):
    """Set the given keys wherever the config has them."""
    if isinstance(node, (dict, ConfigDict)):
        for key in list(node):
            if key in changes:
                node[key] = changes[key]
            else:
                adapt(node[key], changes)
    elif isinstance(node, (list, tuple)):
        for child in node:
            adapt(child, changes)


@pytest.mark.parametrize('layout, num_joints, coords, num_person, clip_len', [
    ('coco', 17, 2, 1, 16),
    ('openpose', 18, 3, 2, 32),
    (CUSTOM, 20, 3, 3, 70),
])
def test_pretrain_probe_and_retrieve(tmp_path, layout, num_joints, coords,
                                     num_person, clip_len):
    ann_file = str(tmp_path / 'set.pkl')
    make_set(ann_file, num_joints, coords, num_person)

    def build(config, **settings):
        cfg = Config.fromfile(REPO / 'configs' / 'umurl' / config)
        adapt(
            cfg._cfg_dict,
            dict(
                layout=layout,
                in_channels=coords,
                num_person=num_person,
                clip_len=clip_len,
                ann_file=ann_file,
                batch_size=4,
                num_workers=0,
                persistent_workers=False,
                embed_dims=16,
                num_classes=3,
                max_epochs=1,
                val_interval=1))
        for part in ('neck', 'cls_head'):
            if part in cfg.model:
                cfg.model[part].in_channels = 32
        name = f'{tmp_path.name}-{config.partition("/")[0]}'
        cfg.update(work_dir=str(tmp_path), experiment_name=name, **settings)
        return Runner.from_cfg(cfg)

    build('pretrain/umurl_1xb64_synthetic.py').train()
    checkpoint = str(tmp_path / 'epoch_1.pth')
    knn = build('knn/umurl-knn_synthetic.py', load_from=checkpoint)
    assert knn.model.backbone.input_shape == (num_person, clip_len, num_joints,
                                              coords)
    # The classes are three poses: hard to miss.
    assert knn.test()['acc/top1'] == 1
    linear = build('linear/umurl-linear_synthetic.py', load_from=checkpoint)
    linear.train()
    assert 0 <= linear.val_loop.run()['acc/top1'] <= 1
