_base_ = [
    '../../_base_/models/umurl_knn.py', '../../_base_/datasets/synthetic.py',
    '../../_base_/datasets/knn_loaders.py',
    '../../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(embed_dims=128),
    gallery=dict(batch_size=64, num_workers=2, dataset=_base_.train_set))
test_dataloader = dict(batch_size=64, num_workers=2, dataset=_base_.val_set)
