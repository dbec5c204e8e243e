_base_ = [
    './umurl_1xb64-3k_utd-mhad-keypoint-2d.py',
    '../../_base_/datasets/plus_views.py',
]

model = dict(data_preprocessor=dict(views=_base_.plus_views))
