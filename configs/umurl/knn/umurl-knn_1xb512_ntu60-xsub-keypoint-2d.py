_base_ = [
    '../../_base_/models/umurl_knn.py', '../../_base_/datasets/ntu60_2d.py',
    '../../_base_/datasets/knn_loaders.py',
    '../../_base_/default_runtime.py'
]

model = dict(
    backbone=_base_.skeleton, gallery=dict(dataset=_base_.xsub_train))
test_dataloader = dict(dataset=_base_.xsub_val)
# MMAction2's inference_skeleton needs this name.
test_pipeline = _base_.normalize + _base_.pipeline
