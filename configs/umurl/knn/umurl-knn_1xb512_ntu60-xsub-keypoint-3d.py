_base_ = [
    '../../_base_/models/umurl_knn.py', '../../_base_/datasets/knn.py',
    '../../_base_/default_runtime.py'
]

ann_file = 'data/skeleton/ntu60_3d.pkl'
model = dict(
    gallery=dict(dataset=dict(ann_file=ann_file, split='xsub_train')))
test_dataloader = dict(dataset=dict(ann_file=ann_file, split='xsub_val'))
