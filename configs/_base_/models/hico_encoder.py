# HiCo's encoder; the sizes are those of options_pretraining.py in its code. A
# config takes it with `model = dict(backbone=dict(_base_.encoder,
# _delete_=True))`.
encoder = dict(
    type='HiCoBackbone',
    embed_dims=512,
    num_heads=4,
    num_layers=1,
    granularities=4,
    dropout=0.1)
