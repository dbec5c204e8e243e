# USDRL's encoder; the sizes are those of options_pretraining.py in its code. A
# config takes it with `model = dict(backbone=dict(_base_.encoder,
# _delete_=True))`.
encoder = dict(
    type='DSTE',
    embed_dims=1024,
    num_heads=1,
    num_layers=2,
    alpha=0.5,
    gap=4,
    drop_path_rate=0.1)
