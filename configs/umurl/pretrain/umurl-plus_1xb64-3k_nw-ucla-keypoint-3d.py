_base_ = [
    './umurl_1xb64-3k_nw-ucla-keypoint-3d.py',
    '../../_base_/umurl_plus.py',
]

model = dict(
    heads=_base_.plus_heads,
    data_preprocessor=dict(views=_base_.plus_views))
