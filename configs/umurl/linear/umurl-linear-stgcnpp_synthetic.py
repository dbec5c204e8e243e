_base_ = [
    './umurl-linear_synthetic.py', '../../_base_/models/stgcnpp_small.py'
]

model = dict(
    backbone=dict(_base_.encoder, frozen=True, _delete_=True),
    cls_head=dict(in_channels=32))
load_from = 'work_dirs/umurl-stgcnpp_1xb64_synthetic/epoch_10.pth'
