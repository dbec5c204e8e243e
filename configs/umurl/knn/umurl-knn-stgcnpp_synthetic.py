_base_ = ['./umurl-knn_synthetic.py', '../../_base_/models/stgcnpp_small.py']

model = dict(backbone=dict(_base_.encoder, _delete_=True))
