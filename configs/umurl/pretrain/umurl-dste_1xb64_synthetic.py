# A small demonstration for CPUs, not a benchmark.
_base_ = ['./umurl_1xb64_synthetic.py', '../../_base_/models/dste.py']

model = dict(
    backbone=dict(_base_.encoder, embed_dims=128, _delete_=True))
