_base_ = './umurl.py'

# UmURL's terms on the whole feature and, with half the weight, on its temporal
# and spatial parts. The sizes and weights are those of model/DSTE.py and
# pretrain.py in the authors' code: configs/usdrl/README.md.
model = dict(
    parts=dict(temporal=0.5, spatial=0.5),
    part_neck=dict(
        type='ModalityProjector', hidden_channels=2048, out_channels=2048))
