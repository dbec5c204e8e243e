_base_ = [
    '../../_base_/models/umurl_knn.py', '../../_base_/datasets/utd_mhad_2d.py',
    '../../_base_/datasets/knn_loaders.py',
    '../../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(_base_.skeleton, embed_dims=128),
    gallery=dict(batch_size=64, num_workers=1, dataset=_base_.train_set))
test_dataloader = dict(batch_size=64, num_workers=1, dataset=_base_.val_set)
