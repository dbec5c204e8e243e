_base_ = './usdrl.py'

# As published: four views of one stream, one projector for all of them.
init = dict(type='TruncNormal', layer='Linear', std=0.02)
model = dict(
    branches=dict(first=None, second=None, third=None),
    share_neck=True,
    neck=dict(init_cfg=init),
    part_neck=dict(init_cfg=init))
