"""Configs of the repository on a tiny set, with weights of a narrow model."""
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, save_checkpoint, set_random_seed

KNN = 'knn/umurl-knn_synthetic.py'
LINEAR = 'linear/umurl-linear_synthetic.py'
PRETRAIN = 'pretrain/umurl_1xb64_synthetic.py'
# Chance of two kinds, torch's and (the choice) NumPy's.
VIEWS = dict(
    type='SkeletonMultiView',
    num_views=[4],
    transforms=[[
        dict(type='TemporalCropResize', min_len=4, clip_len=8),
        dict(
            type='RandomChoice',
            transforms=[[dict(type='JointCorruption')],
                        [dict(type='PoseShear')]])
    ]])


def tiny_options(ann_file, name=KNN):
    """What makes a config of `configs/umurl` tiny, as `cfg_options`."""
    loaders = {
        KNN: ['test_dataloader', 'model.gallery'],
        LINEAR: ['test_dataloader'],
        PRETRAIN: []
    }
    options = {'model.backbone.embed_dims': 16}
    for loader in loaders[name]:
        options.update({
            f'{loader}.dataset.ann_file': ann_file,
            f'{loader}.batch_size': 4,
            f'{loader}.num_workers': 0
        })
    if name == LINEAR:
        options.update({
            'test_dataloader.persistent_workers': False,
            'model.cls_head.in_channels': 32,
            'model.cls_head.num_classes': 3
        })
    if name == PRETRAIN:
        options.update({
            'model.neck.in_channels': 32,
            'model.neck.out_channels': 64
        })
    return options


def tiny_config(ann_file, name=KNN):
    cfg = Config.fromfile(REPO / 'configs' / 'umurl' / name)
    cfg.merge_from_dict(tiny_options(ann_file, name))
    return cfg


def save_weights(cfg, path, **more):
    """A checkpoint of the config's model; the same on every call."""
    # Module-wide fixtures come before the one of conftest.
    init_default_scope('mmaction')
    set_random_seed(0)
    model = MODELS.build(cfg.model)
    save_checkpoint(dict(state_dict=model.state_dict(), **more), str(path))
    return str(path)


def run_test_loop(cfg, checkpoint, work_dir):
    """The stock test loop; the data samples it predicts, in order."""
    cfg = cfg.copy()
    for loader in [cfg.test_dataloader, cfg.model.get('gallery')]:
        if loader is not None:
            loader.update(num_workers=0, persistent_workers=False)
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper',
                'param_scheduler', 'val_dataloader', 'val_cfg',
                'val_evaluator', 'auto_scale_lr'):
        cfg.pop(key, None)
    runner = Runner.from_cfg(
        Config(
            dict(
                cfg._cfg_dict,
                work_dir=str(work_dir),
                custom_hooks=[],
                experiment_name=str(work_dir).replace('/', '-'),
                load_from=str(checkpoint))))
    samples = []
    process = runner.test_loop.evaluator.process
    runner.test_loop.evaluator.process = lambda data_samples, data_batch: (
        samples.extend(data_samples), process(data_samples, data_batch))
    runner.test()
    return samples
