_base_ = [
    './usdrl_1xb64-3k_utd-mhad-keypoint-3d.py', '../_base_/models/dste.py'
]

model = dict(
    backbone=dict(
        _base_.encoder, **_base_.skeleton, embed_dims=128, _delete_=True))
